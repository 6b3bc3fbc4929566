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

/** Whether this is the revision of its model that holds at an instant: the latest to begin, then the latest made. */
export function isInForce(revision: ModelCostRevision, all: readonly ModelCostRevision[], atMs: InstantMs): boolean {
  if (revision.effectiveFromMs > atMs || revision.isRetired) return false
  return !all.some(
    (other) =>
      other.provider === revision.provider &&
      other.model === revision.model &&
      other.effectiveFromMs <= atMs &&
      (other.effectiveFromMs > revision.effectiveFromMs ||
        (other.effectiveFromMs === revision.effectiveFromMs && other.revision > revision.revision)),
  )
}

/** The first alias of a cost that another model of the provider has, or is called. */
export function sharedAlias(
  cost: Pick<ModelCostRevision, 'provider' | 'model' | 'aliases'>,
  inForce: readonly ModelCostRevision[],
): { readonly alias: string; readonly model: string } | null {
  for (const { provider, model, aliases } of inForce) {
    if (provider !== cost.provider || model === cost.model) continue
    const alias = cost.aliases.find((one) => one === model || aliases.includes(one))
    if (alias !== undefined) return { alias, model }
  }
  return null
}

/** Why a call has no cost. */
export const UNPRICED_STATUSES = ['no_usage', 'no_model', 'missing_condition', 'missing_rate', 'table_unavailable'] as const
export type UnpricedStatus = (typeof UNPRICED_STATUSES)[number]
