import type { CustomerKey, FeatureKey, InstantMs, Period, PlanKey, SubscriptionId } from '../identity.ts'
import type { Rational } from '../rational.ts'
import type { Money } from './money.ts'
import type { TaxRate } from './tax-rate.ts'

/**
 * `unused` gives back base fee for time not served; `adjustment` is a part billed before and counted again; `trueUp` is
 * what was missing to a minimum or a commitment.
 */
export type LineKind = 'base' | 'usage' | 'trueUp' | 'unused' | 'adjustment' | 'manual' | 'topUp'

export type DocumentKind = 'opening' | 'cycle' | 'closing' | 'change' | 'threshold' | 'adjustment' | 'topUp' | 'manual'

/** A line of a document that was made final. */
export type LineRef = { readonly invoice: string; readonly line: string }

/** What a line says of itself before coupons, credits and taxes. */
export type LineHead<C extends string = string> = {
  readonly kind: LineKind
  /** The key of a charge, `minimum` or `commitment`, or a description. */
  readonly item: string | null
  readonly feature: FeatureKey | null
  readonly plan: PlanKey | null
  readonly planVersion: number | null
  readonly period: Period
  /** Nano units; of an adjustment the difference to what was billed. Null where nothing is counted. */
  readonly quantityNano: bigint | null
  /** What the part comes to by now, not rounded. */
  readonly exact: Rational | null
  readonly amount: Money<C>
  readonly taxRates: readonly TaxRate[]
  readonly adjusts: LineRef | null
  /** Other subscriptions that bill what is used of this feature in the period or in some of it. */
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

/** A document is below zero when more comes back than is asked for: it is then a credit note of the amount above zero. */
export type Totals<C extends string = string> = {
  readonly document: 'invoice' | 'creditNote'
  readonly lines: readonly InvoiceLine<C>[]
  readonly subtotal: Money<C>
  readonly discount: Money<C>
  readonly credits: Money<C>
  readonly net: Money<C>
  readonly taxes: readonly TaxSum<C>[]
  readonly tax: Money<C>
  /** Nets and taxes, below zero for a credit note. */
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
