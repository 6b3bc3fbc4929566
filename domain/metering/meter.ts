import type { MeterKey, TenantKey } from '../identity.ts'

export const AGGREGATIONS = ['sum', 'count', 'min', 'max', 'avg', 'latest', 'unique'] as const
export type Aggregation = (typeof AGGREGATIONS)[number]

/** Whether the usage of two stretches of time is the sum of both: what is held back in parts or burned from grants must be. */
export function isAdditive(aggregation: Aggregation): boolean {
  return aggregation === 'sum' || aggregation === 'count'
}

/** What to read from events of one type. Property paths are nested with dots and start in `data`. */
export type MeterDefinition = {
  readonly eventType: string
  readonly aggregation: Aggregation
  /** Added per event when there are several. Empty for `count`. */
  readonly value: readonly string[]
  /** Dimension name to property path. */
  readonly dimensions: Readonly<Record<string, string>>
}

/**
 * `revision` is unique in the tenant over all meters and all time: a changed or re-made meter gets a new one, so its
 * windows never mix with those of the definition before.
 */
export type Meter = MeterDefinition & {
  readonly tenant: TenantKey
  readonly key: MeterKey
  readonly revision: number
}
