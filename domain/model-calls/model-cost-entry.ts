import type { InstantMs } from '../identity.ts'
import { INPUT_PARTS, OUTPUT_PARTS, QUANTITY_KINDS } from './canonical-usage.ts'

/** Everything that a rate can price, in the order of a cost's lines. */
export const COST_KINDS = [...INPUT_PARTS, ...OUTPUT_PARTS, ...QUANTITY_KINDS, 'requests'] as const
export type CostKind = (typeof COST_KINDS)[number]

/** All that are told must hold. `inputAbove`: all input tokens of the call are more. `utc`: half-open hours, over midnight too. */
export type RateCondition = {
  readonly serviceTier?: string
  readonly speed?: string
  readonly region?: string
  readonly inputAbove?: string
  readonly utc?: string
}
export type CostRate = {
  readonly kinds: readonly CostKind[]
  /** A decimal of the tenant's cost currency for `per` units, which are 1,000,000 by default. */
  readonly amount: string
  readonly per?: string
  readonly when?: RateCondition
}
export type CostFactor = { readonly when: RateCondition; readonly factor: string; readonly kinds?: readonly CostKind[] }
/** A condition that changes no rate: any value of it, or the one told. */
export type IgnoredCondition = ConditionName | { readonly [Name in ConditionName]?: string }
export const CONDITION_NAMES = ['serviceTier', 'speed', 'region'] as const
export type ConditionName = (typeof CONDITION_NAMES)[number]

/** What a provider charges for a model, from an instant on. Revisions are only appended; a retired one prices nothing. */
export type ModelCostRevision = {
  readonly provider: string
  readonly model: string
  /** Counts from 1 for each model. */
  readonly revision: number
  readonly effectiveFromMs: InstantMs
  /** Names with one `*` for any text. */
  readonly aliases: readonly string[]
  readonly rates: readonly CostRate[]
  readonly factors: readonly CostFactor[]
  readonly free: readonly CostKind[]
  readonly ignore: readonly IgnoredCondition[]
  readonly isRetired: boolean
}
