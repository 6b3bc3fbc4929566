import type { MeterKey, TenantKey } from '../identity.ts'
import type { EventSelection } from './event-selection.ts'

export const AGGREGATIONS = ['sum', 'count', 'min', 'max', 'avg', 'latest', 'unique'] as const
export type Aggregation = (typeof AGGREGATIONS)[number]

/** Whether the usage of two stretches of time is the sum of both, as reservations and grants need. */
export function isAdditive(aggregation: Aggregation): boolean {
  return aggregation === 'sum' || aggregation === 'count'
}

/** What to read from events of one type. Properties are those of `data`. */
export type MeterDefinition = {
  readonly eventType: string
  readonly aggregation: Aggregation
  /** Expressions, each read by itself; their values are added up per event. Empty for `count`. */
  readonly value: readonly string[]
  /** Dimension name to property path, or to `coalesce` of several. */
  readonly dimensions: Readonly<Record<string, string>>
  /** Which events of the type count; absent: all. */
  readonly where?: EventSelection
  /** Does not count a value of more than 9 fractional digits; absent: it is rounded. */
  readonly onInexact?: 'refuse'
  /** Absent: a value below zero is not counted. */
  readonly allowNegative?: true
  /** Combinations of dimension values of one customer and day; further ones count as `(other)`. Absent: `SERIES_BOUNDS.series`. */
  readonly seriesMax?: number
}

/**
 * `revision` is unique in the tenant over all meters and all time: a changed or re-created meter gets a new one, so its windows
 * never mix with those of the earlier definition.
 */
export type Meter = MeterDefinition & {
  readonly tenant: TenantKey
  readonly key: MeterKey
  readonly revision: number
}
