import type { FeatureKey, MeterKey } from './identity.ts'
import type { DimensionFilter } from './plan.ts'

/**
 * Usage that is said outright and not measured from an event's data: a settled reservation or a direct report. It is an
 * event of its own type in the log and counts for the meter that it names. This is its data, as JSON.
 */
export type UsageReport = {
  readonly feature: FeatureKey
  readonly meter: MeterKey
  /** Decimal string. */
  readonly quantity: string
  /** `set` makes the usage of the feature in [periodStart, periodEnd) this quantity. */
  readonly behaviour: 'delta' | 'set'
  /** So that the feature's filter lets it pass; a dimension that is not named is ''. */
  readonly dimensions: Readonly<Record<string, string>>
  /** ISO 8601; of a `set` only. */
  readonly periodStart?: string
  readonly periodEnd?: string
  /** Id of the reservation that this settles. */
  readonly reservation?: string
  /** The caller's own, kept and never read. */
  readonly data?: unknown
}

/** Types that start so are Tollgate's own: nobody else may send them. */
export const RESERVED_TYPE_PREFIX = 'tollgate.'
export const USAGE_REPORT_TYPE = 'tollgate.usage'
export const USAGE_REPORT_SOURCE = 'tollgate'

/** For each dimension of the filter its first value: what passes the filter. */
export function dimensionsWithin(filter: DimensionFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).map(([name, values]) => [name, values[0] ?? '']))
}
