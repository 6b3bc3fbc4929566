import type { CustomerKey, FeatureKey, InstantMs, Period, PlanKey, SubscriptionId } from '../identity.ts'
import type { Rational } from '../rational.ts'
import type { Money } from './money.ts'
import type { RatedLine } from './rated-line.ts'
import type { TaxRate } from './tax-rate.ts'

/**
 * `unused` gives back base fee for time not served; `adjustment` corrects a part that was billed before; `trueUp` fills up to a
 * minimum or a commitment.
 */
export type LineKind = 'base' | 'usage' | 'trueUp' | 'unused' | 'adjustment' | 'manual' | 'topUp'

export type DocumentKind = 'opening' | 'cycle' | 'closing' | 'change' | 'threshold' | 'adjustment' | 'topUp' | 'order' | 'manual'

/** A line of a finalised document. */
export type LineRef = { readonly invoice: string; readonly line: string }

/** A line before coupons, credits and taxes. */
export type LineHead<C extends string = string> = {
  readonly kind: LineKind
  /** The key of a charge, `minimum`, `commitment` or a description. */
  readonly item: string | null
  readonly feature: FeatureKey | null
  readonly plan: PlanKey | null
  readonly planVersion: number | null
  readonly period: Period
  /** Nano units; on an adjustment the difference to what was billed. Null where nothing is counted. */
  readonly quantityNano: bigint | null
  /** What the part comes to by now, not rounded. */
  readonly exact: Rational | null
  /** The steps of a price that has tiers, which add up to `exact`; null without, on corrections, and where a part scales the table. */
  readonly tiers: readonly RatedLine[] | null
  readonly amount: Money<C>
  readonly taxRates: readonly TaxRate[]
  readonly adjusts: LineRef | null
  /** Other subscriptions that bill usage of this feature in the period or a part of it. */
  readonly billedBy: readonly SubscriptionId[]
}

/** net = amount − discount − credits. `line` numbers the lines of a document from '1'. */
export type InvoiceLine<C extends string = string> = LineHead<C> & {
  readonly line: string
  readonly discount: Money<C>
  readonly credits: Money<C>
  readonly net: Money<C>
  readonly tax: Money<C>
}

/** One rate's tax on the sum of its lines' nets. */
export type TaxSum<C extends string = string> = { readonly rate: TaxRate; readonly base: Money<C>; readonly amount: Money<C> }

/** A document is below zero when it gives back more than it bills: it is then a credit note of that amount. */
export type Totals<C extends string = string> = {
  readonly document: 'invoice' | 'creditNote'
  readonly lines: readonly InvoiceLine<C>[]
  readonly subtotal: Money<C>
  readonly discount: Money<C>
  readonly credits: Money<C>
  readonly net: Money<C>
  readonly taxes: readonly TaxSum<C>[]
  readonly tax: Money<C>
  /** Nets and taxes; below zero for a credit note. */
  readonly total: Money<C>
  readonly balanceApplied: Money<C>
  readonly due: Money<C>
}

export type InvoiceDocument<C extends string = string> = Totals<C> & {
  readonly id: string
  readonly kind: DocumentKind
  /** `nothingDue` has quantities and no amount: it is kept without a number, so that its usage is on a line. */
  readonly status: 'finalised' | 'nothingDue'
  readonly customer: CustomerKey
  readonly subscription: SubscriptionId | null
  readonly currency: C
  readonly closesAtMs: InstantMs
  readonly finalisedAtMs: InstantMs
  readonly dueAtMs: InstantMs
}
