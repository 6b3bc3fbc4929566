import type { InstantMs, Period, PlanKey } from '../identity.ts'
import type { Reduction } from './coupon.ts'
import type { LineRef } from './invoice.ts'
import type { Money } from './money.ts'
import type { TaxRate } from './tax-rate.ts'

/** What one credit paid of an item. */
export type Burn<C extends string = string> = { readonly credit: string; readonly amount: Money<C> }

/** The amount billed for one item so far, over all its lines, and the rules it was billed by: a later correction follows the same rules. */
export type Billed<C extends string = string> = {
  readonly amount: Money<C>
  readonly discount: Money<C>
  readonly reductions: readonly Reduction<C>[]
  readonly taxRates: readonly TaxRate[]
  /** In the order in which they were made: the last one gives back first. */
  readonly burns: readonly Burn<C>[]
  /** The first line; null while the item came to nothing. */
  readonly line: LineRef | null
}

/** A base fee that was billed, and the stretch of its cell that it pays for. */
export type BilledBase<C extends string = string> = {
  readonly plan: PlanKey
  readonly planVersion: number
  readonly cell: Period
  readonly period: Period
  readonly billed: Billed<C>
}

/** A part whose usage was billed: it is counted again until its late window has closed. */
export type BilledPart<C extends string = string> = {
  readonly plan: PlanKey
  readonly planVersion: number
  readonly cell: Period
  readonly period: Period
  /** When the part was last counted, and up to which position of the log. */
  readonly countedAtMs: InstantMs
  readonly cutOff: CutOff
  /** By charge, and by minimum for its true-ups: see `itemKey`. */
  readonly items: ReadonlyMap<ItemKey, BilledItem<C>>
}

export type BilledItem<C extends string = string> = { readonly quantityNano: bigint; readonly billed: Billed<C> }

/** A position of the customer's partition: the first offset that is not counted. */
export type CutOff = { readonly partition: number; readonly offset: number }

/** A charge's key may be any text, so the kind of item stands before it. */
export type ItemKey = `charge:${string}` | `minimum:${string}` | 'minimum' | 'commitment'

export function nothingBilled<C extends string>(taxRates: readonly TaxRate[]): Billed<C> {
  const nothing = 0n as Money<C>
  return { amount: nothing, discount: nothing, reductions: [], taxRates, burns: [], line: null }
}
