import { parseDecimal, QUANTITY_FRACTION_DIGITS_MAX } from '../decimal.ts'
import type { FeatureKey, MeterKey, Period } from '../identity.ts'
import { type Outcome, refuse, refuseField } from '../refusal.ts'
import { parseInstantText } from '../time/instant-text.ts'
import type { DimensionFilter } from './dimension-filter.ts'
import { parsedData } from './event-data.ts'
import { type CompiledMeter, compiledMeter } from './expressions/compiled-meter.ts'
import type { MeterDefinition } from './meter.ts'

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
  /** Chosen so that the feature's filter lets it pass. A dimension that is not named is read from `properties`. */
  readonly dimensions: Readonly<Record<string, string>>
  /** Only for `set`: the period in ISO 8601 and the feature's filter, so that the report alone says what it sets. */
  readonly periodStart?: string
  readonly periodEnd?: string
  readonly filter?: DimensionFilter
  /** Only for a stored `set`: the delta that it added at its place in the log, as a decimal string. It counts as that for ever. */
  readonly delta?: string
  /** Id of the reservation that this report settles. */
  readonly reservation?: string
  /** The caller's own: what the dimensions of the meter read, as they read an event's data. Absent: a dimension that is not named is ''. */
  readonly properties?: object
  /** What settlements kept of the caller before there were `properties`: it is never read, so that they count as they did. */
  readonly data?: unknown
}

/** Types with this prefix are Tollgate's own: nobody else may send them. */
export const RESERVED_TYPE_PREFIX = 'tollgate.'
export const USAGE_REPORT_TYPE = 'tollgate.usage'
export const USAGE_REPORT_SOURCE = 'tollgate'
/** Id of the event that a caller's report becomes, from the report's own: a repeat within 35 days counts once, with `upTo` or without. */
export function usageReportEventId(id: string): string {
  return `usage:${id}`
}

/** Stands in the record of a settlement's events and ends its hold. It counts nothing itself. Its data is a `SettlementNotice`. */
export const SETTLEMENT_TYPE = 'tollgate.settlement'
export type SettlementNotice = { readonly reservation: string; readonly feature: FeatureKey; readonly events: number }

/**
 * `dimensions` of a report for a feature: for each dimension of its filter that the properties do not say, the filter's first
 * value. Refused when the properties say one that the filter does not let pass: it would count for another feature than was named.
 */
export function dimensionsWithin(
  filter: DimensionFilter,
  meter: MeterDefinition,
  properties: object | null,
): Outcome<Record<string, string>> {
  const { dimensionNames, dimensionReaders } = compiledMeter(meter)
  const dimensions: Record<string, string> = {}
  for (const [name, values] of Object.entries(filter)) {
    const said = properties === null ? '' : (dimensionReaders[dimensionNames.indexOf(name)]?.(properties) ?? '')
    if (said === '') dimensions[name] = values[0] ?? ''
    else if (!values.includes(said)) return refuseField('data', refuse('outside_feature', { dimension: name, value: said, values }))
  }
  return dimensions
}

/** The content of a report, from its data as it stands in the log or in the store. */
export type ReportedUsage = {
  readonly meter: MeterKey
  readonly dimensions: Readonly<Record<string, unknown>>
  readonly properties: object | null
  /** Nano units that it adds; null for a `set` that has not been resolved. */
  readonly quantity: bigint | null
  /** Only for `set`: what it sets, and to how many nano units. */
  readonly set: UsageSet | null
}
export type UsageSet = { readonly filter: DimensionFilter; readonly period: Period; readonly quantity: bigint }

/** Null when it is no report: only this system writes them, so none is half right. */
export function readUsageReport(data: object): ReportedUsage | null {
  const report = data as Partial<UsageReport>
  const { meter, dimensions = {}, properties = null, behaviour } = report
  const quantity = quantityOf(report.quantity)
  if (typeof meter !== 'string' || quantity === null) return null
  if (behaviour !== 'set') return { meter, dimensions, properties, quantity, set: null }
  const { filter = {}, periodStart = '', periodEnd = '', delta } = report
  const startMs = parseInstantText(periodStart)
  const endMs = parseInstantText(periodEnd)
  if (startMs === undefined || endMs === undefined) return null
  return { meter, dimensions, properties, quantity: quantityOf(delta), set: { filter, period: { startMs, endMs }, quantity } }
}

/**
 * The reservation whose hold ends with this event, or null: any event may carry its id as the attribute `reservation`. JSON is
 * parsed for the few events that may end one.
 */
export function settledReservationIn({ type, data, attributes }: EndingEvent): string | null {
  if (attributes?.includes('"reservation"') === true) return reservationIn(attributes)
  return type === USAGE_REPORT_TYPE || type === SETTLEMENT_TYPE ? reservationIn(data) : null
}

type EndingEvent = { readonly type: string; readonly data: string; readonly attributes: string | null }

function reservationIn(json: string): string | null {
  const { reservation } = parsedData(json) as { readonly reservation?: unknown }
  return typeof reservation === 'string' ? reservation : null
}

/** The report's values of a meter's dimensions, in their order. `constructor` is no dimension, although every object inherits one. */
export function dimensionsOfReport({ dimensions, properties }: ReportedUsage, meter: CompiledMeter): readonly string[] {
  return meter.dimensionNames.map((name, index) => {
    if (!Object.hasOwn(dimensions, name)) return properties === null ? '' : (meter.dimensionReaders[index]?.(properties) ?? '')
    const value = dimensions[name]
    return typeof value === 'string' ? value : ''
  })
}

/** A delta can have more digits than any reported quantity. */
const DELTA_INTEGER_DIGITS_MAX = 29

function quantityOf(text: string | undefined): bigint | null {
  return typeof text === 'string' ? parseDecimal(text, DELTA_INTEGER_DIGITS_MAX, QUANTITY_FRACTION_DIGITS_MAX) : null
}
