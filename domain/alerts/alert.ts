import { NANO } from '../decimal.ts'
import type { CustomerKey, FeatureKey } from '../identity.ts'

/** Tells when a customer's usage of a feature in its present period reaches a threshold. */
export type Alert = {
  readonly key: string
  readonly on: 'usage'
  readonly feature: FeatureKey
  readonly at: Threshold
  /** These alone; null is everybody. */
  readonly customers: readonly CustomerKey[] | null
}

/** Both above 0. Percent of the limit, times 10^9; units are nano units. */
export type Threshold = { readonly percentNano: bigint } | { readonly units: bigint }

/** Exact. Nothing is a percentage of no limit; of a limit of 0 everything is. Held units are not used yet. */
export function isReached(at: Threshold, { usedUnits, limit }: { readonly usedUnits: bigint; readonly limit: bigint | null }): boolean {
  if ('units' in at) return usedUnits >= at.units
  return limit !== null && usedUnits * HUNDRED * NANO >= limit * at.percentNano && (limit > 0n || usedUnits > 0n)
}

const HUNDRED = 100n
