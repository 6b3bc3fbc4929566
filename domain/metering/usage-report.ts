import { parseDecimal, QUANTITY_FRACTION_DIGITS_MAX } from '../decimal.ts'
import type { FeatureKey, MeterKey, Period } from '../identity.ts'
import { parseInstantText } from '../time/instant-text.ts'
import type { DimensionFilter } from './dimension-filter.ts'

/**
 * A direct usage report, not measured from an event's data: a settled reservation or a report by the caller. It is an event of
 * its own type in the log and counts for the meter that it names. This is its data, as JSON.
 */
export type UsageReport = {
  readonly feature: FeatureKey
  readonly meter: MeterKey
  /** Decimal string. */
  readonly quantity: string
  /** `set` makes the usage of the feature in [periodStart, periodEnd) this quantity. */
  readonly behaviour: 'delta' | 'set'
  /** Chosen so that the feature's filter lets it pass; a dimension that is not named is ''. */
  readonly dimensions: Readonly<Record<string, string>>
  /** Only for `set`: the period in ISO 8601 and the feature's filter, so that the report alone says what it sets. */
  readonly periodStart?: string
  readonly periodEnd?: string
  readonly filter?: DimensionFilter
  /** Only for a stored `set`: the delta that it added at its place in the log, as a decimal string. It counts as that for ever. */
  readonly delta?: string
  /** Id of the reservation that this report settles. */
  readonly reservation?: string
  /** The caller's own data, kept and never read. */
  readonly data?: unknown
}

/** Types with this prefix are Tollgate's own: nobody else may send them. */
export const RESERVED_TYPE_PREFIX = 'tollgate.'
export const USAGE_REPORT_TYPE = 'tollgate.usage'
export const USAGE_REPORT_SOURCE = 'tollgate'

/** The first value of each dimension of the filter: dimensions that pass the filter. */
export function dimensionsWithin(filter: DimensionFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).map(([name, values]) => [name, values[0] ?? '']))
}

/** The content of a report, from its data as it stands in the log or in the store. */
export type ReportedUsage = {
  readonly meter: MeterKey
  readonly dimensions: Readonly<Record<string, unknown>>
  /** Nano units that it adds; null for a `set` that has not been resolved. */
  readonly quantity: bigint | null
  readonly reservation: string | null
  /** Only for `set`: what it sets, and to how many nano units. */
  readonly set: UsageSet | null
}
export type UsageSet = { readonly filter: DimensionFilter; readonly period: Period; readonly quantity: bigint }

/** Null when it is no report: only this system writes them, so none is half right. */
export function readUsageReport(data: object): ReportedUsage | null {
  const report = data as Partial<UsageReport>
  const { meter, dimensions = {}, behaviour, reservation = null } = report
  const quantity = quantityOf(report.quantity)
  if (typeof meter !== 'string' || quantity === null) return null
  if (behaviour !== 'set') return { meter, dimensions, quantity, reservation, set: null }
  const { filter = {}, periodStart = '', periodEnd = '', delta } = report
  const startMs = parseInstantText(periodStart)
  const endMs = parseInstantText(periodEnd)
  if (startMs === undefined || endMs === undefined) return null
  return { meter, dimensions, quantity: quantityOf(delta), reservation, set: { filter, period: { startMs, endMs }, quantity } }
}

/** The dimension's own value, or '' where the report has none: `constructor` is no dimension, although every object inherits one. */
export function dimensionOfReport({ dimensions }: Pick<ReportedUsage, 'dimensions'>, name: string): string {
  const value = Object.hasOwn(dimensions, name) ? dimensions[name] : ''
  return typeof value === 'string' ? value : ''
}

/** A delta can have more digits than any reported quantity. */
const DELTA_INTEGER_DIGITS_MAX = 29

function quantityOf(text: string | undefined): bigint | null {
  return typeof text === 'string' ? parseDecimal(text, DELTA_INTEGER_DIGITS_MAX, QUANTITY_FRACTION_DIGITS_MAX) : null
}
