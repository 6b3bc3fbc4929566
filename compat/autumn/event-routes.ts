import { type Static, Type } from 'typebox'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import { USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantMsOf } from '../instant-ms.ts'
import { jsonNumber } from '../json-number.ts'
import type { OwnEvent, OwnFeature } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, OptionalText } from './bodies.ts'

/** What was tracked: reports of features, and events by name where a feature that reads them is asked for. */
export async function eventRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  app.post('/events.list', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, ListSchema)
    const { customer_id: customer, start_cursor: cursor, limit = PAGE.usual, custom_range: range } = body
    const tollgate = own(request)
    const features = new Set([body.feature_id ?? []].flat())
    const { data, nextCursor } = await tollgate.events({
      ...(customer == null ? {} : { customer }),
      ...(cursor == null || cursor === '' ? {} : { cursor }),
      ...(range == null ? {} : { from: new Date(range.start).toISOString(), to: new Date(range.end).toISOString() }),
      ...{ type: USAGE_REPORT_TYPE, limit, waitMs: SEEN_WITHIN_MS },
    })
    const shown = data.map(eventJson).filter(({ feature_id: feature }) => features.size === 0 || features.has(feature))
    return { list: shown, next_cursor: nextCursor }
  })

  app.post('/events.aggregate', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, AggregateSchema)
    const { customer_id: customer, group_by: groupBy } = body
    const tollgate = own(request)
    const { fromMs, toMs, window } = rangeOf(body, clock.now())
    const periods = new Map<number, { values: Record<string, number>; grouped: Record<string, Record<string, number>> }>()
    const total: Record<string, { count: number; sum: number }> = {}
    for (const key of [body.feature_id].flat()) {
      const feature: OwnFeature = await tollgate.feature(key)
      if (feature.meter === null) return refuseInput('feature_id', `feature '${key}' is not metered`)
      const dimension = groupBy?.replace(/^properties\./, '')
      const filter = Object.fromEntries(Object.entries(feature.filter).map(([name, values]) => [`filter[${name}]`, values]))
      const { data } = await tollgate.usage(feature.meter, {
        ...{ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), window, ...filter, waitMs: SEEN_WITHIN_MS },
        ...(customer == null ? {} : { customer }),
        ...(dimension === undefined ? {} : { groupBy: dimension }),
      })
      let [sum, count] = [0n, 0]
      const sums = new Map<number, bigint>()
      for (const { windowStart, value, events, dimensions } of data) {
        const units = parseQuantity(value ?? '0') ?? 0n
        const period = instantMsOf(windowStart)
        sum += units
        count += events
        sums.set(period, (sums.get(period) ?? 0n) + units)
        const row = periods.get(period) ?? { values: {}, grouped: {} }
        periods.set(period, row)
        row.values[key] = jsonNumber(formatQuantity(sums.get(period) ?? 0n))
        if (dimension !== undefined)
          row.grouped[key] = { ...row.grouped[key], [dimensions?.[dimension] ?? '']: jsonNumber(formatQuantity(units)) }
      }
      total[key] = { count, sum: jsonNumber(formatQuantity(sum)) }
    }
    const list = [...periods]
      .sort(([a], [b]) => a - b)
      .map(([period, { values, grouped }]) => ({ period, values, ...(groupBy == null ? {} : { grouped_values: grouped }) }))
    return { list, total }
  })
}

const SEEN_WITHIN_MS = 2_000
const PAGE = { usual: 50, most: 1_000 }
const DAY_MS = 86_400_000
const RANGES: Readonly<Record<string, number>> = { '24h': DAY_MS, '7d': 7 * DAY_MS, '30d': 30 * DAY_MS, '90d': 90 * DAY_MS }

const RangeSchema = Type.Object({ start: Type.Number({ minimum: 0, maximum: 4e12 }), end: Type.Number({ minimum: 0, maximum: 4e12 }) })
const FeaturesSchema = Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1, maxItems: 20 })])
const ListSchema = Type.Object({
  start_cursor: OptionalText,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE.most })),
  customer_id: OptionalText,
  feature_id: Type.Optional(FeaturesSchema),
  custom_range: Type.Optional(Type.Union([RangeSchema, Type.Null()])),
})
const AggregateSchema = Type.Object({
  feature_id: FeaturesSchema,
  customer_id: OptionalText,
  range: OptionalText,
  custom_range: Type.Optional(Type.Union([RangeSchema, Type.Null()])),
  bin_size: Type.Optional(Type.Enum(['day', 'hour', 'week', 'month'])),
  group_by: OptionalText,
})

function rangeOf({ range, custom_range: custom, bin_size: bin }: Static<typeof AggregateSchema>, nowMs: number) {
  if (custom != null) return { fromMs: custom.start, toMs: custom.end, window: bin ?? 'day' }
  const lengthMs = RANGES[range ?? '7d']
  if (lengthMs === undefined) return refuseInput('range', `range must be one of ${Object.keys(RANGES).join(', ')}, or send custom_range`)
  return { fromMs: nowMs - lengthMs, toMs: nowMs + 1, window: bin ?? (range === '24h' ? 'hour' : 'day') }
}

function eventJson({ id, time, customer, data }: OwnEvent) {
  const { feature, quantity, properties = {} } = data as { feature?: string; quantity?: string; properties?: object }
  return {
    ...{ id, timestamp: instantMsOf(time), feature_id: feature ?? '', customer_id: customer },
    ...{ value: jsonNumber(quantity ?? '0'), properties, deductions: null },
  }
}
