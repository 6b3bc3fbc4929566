import { type Static, Type } from 'typebox'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { UsageRow } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, MeterKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { aggregateValue } from '../../domain/metering/metering.ts'
import { OTHER_VALUE, seriesMaxOf } from '../../domain/metering/series.ts'
import { type FieldError, isRefusal, type Outcome, orThrow, RefusalError, refuse, refuseFields } from '../../domain/refusal.ts'
import { CALENDAR_WINDOWS, type CalendarWindow, calendarWindowAt } from '../../domain/time/calendar-windows.ts'
import { findTimeZone, type TimeZone, timeZone } from '../../domain/time/time-zone.ts'
import {
  CustomerNameSchema,
  DecimalSchema,
  type HttpApp,
  InstantSchema,
  KeySchema,
  ProblemSchema,
  WaitQuerySchema,
} from '../../schemas/http/common.ts'
import { BoundSchema, instantJson } from '../../schemas/http/instants.ts'
import { type AdoptedCustomers, exceptAdopted } from '../../usage/adopted-customers.ts'
import type { CalendarUsageRequest } from '../../usage/calendar-usage.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import type { ViewWaits } from '../../usage/view-waits.ts'
import { parseTimeRange, type TimeRange } from './time-range.ts'
import { USAGE_BOUNDS } from './usage-bounds.ts'
import { shownUsage, USAGE_CURSOR_CHARS_MAX, usagePageAt } from './usage-pages.ts'
import { waitUntilStored } from './wait-until-stored.ts'

export type UsageRoutesDeps = {
  readonly meters: MeterReader
  readonly usageReader: Pick<UsageReader, 'calendar' | 'otherEvents'>
  /** The instant up to which usage is complete. */
  readonly asOf: () => Promise<InstantMs>
  readonly waits: Pick<ViewWaits, 'stored'>
  readonly clock: Clock
  readonly adoptedCustomers: AdoptedCustomers
}

const USAGE_ROWS_MAX = USAGE_BOUNDS.usageRows.most
const PAGE_ROWS_MAX = USAGE_BOUNDS.usagePage.most
const PAGE_ROWS_DEFAULT = 1_000
const CUSTOMERS_MAX = USAGE_BOUNDS.usageCustomers.most
const FILTER_VALUES_MAX = USAGE_BOUNDS.filterValues.most

/** What a meter counted, by window, customer and dimension. */
export function usageRoutes({
  meters,
  usageReader,
  asOf,
  waits,
  clock,
  adoptedCustomers,
}: UsageRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get(
      '/v1/meters/:key/usage',
      {
        config: {
          ...{ scope: 'read', isHeavyRead: true },
          asMe: { url: '/v1/me/usage', scope: 'read', operationId: 'queryMyUsage', keyFrom: 'meter' },
        },
        schema: USAGE_SCHEMA,
        preHandler: waitUntilStored(waits),
      },
      async (request) => {
        const { tenant } = request.principal
        const key = request.params.key as MeterKey
        const meter = await meters.get(tenant, key)
        if (meter === null) throw new RefusalError(refuse('unknown_meter', { meter: key }))
        const usage = orThrow(parseUsageQuery(request.query, meter, clock.now()))
        const { cursor, limit = cursor === undefined ? null : PAGE_ROWS_DEFAULT } = request.query
        const asOfMs = await asOf()
        const wanted = {
          ...usage,
          ...(await exceptAdopted(adoptedCustomers, tenant, usage.customers)),
          ...(limit === null ? {} : { rowsMax: limit, page: orThrow(usagePageAt(tenant, meter, usage, cursor)) }),
        }
        const rows = await usageReader.calendar(meter, wanted)
        const { shown, nextCursor } = shownUsage(tenant, meter, usage, rows, limit ?? USAGE_ROWS_MAX)
        const otherEvents = await usageReader.otherEvents(meter, wanted)
        return {
          data: (cursor === undefined ? withTotal(shown, usage) : shown).map((row) => usageJson(row, meter, usage)),
          nextCursor,
          asOf: instantJson(asOfMs),
          ...(otherEvents === 0 ? {} : { warnings: [otherWarning(meter, otherEvents)] }),
        }
      },
    )
  }
}

const UsageQuerySchema = Type.Object(
  {
    customer: Type.Optional(
      Type.Array(CustomerNameSchema, { maxItems: CUSTOMERS_MAX, description: 'Only this customer; may be repeated' }),
    ),
    from: Type.Optional(BoundSchema('Start, inclusive; a date is its start in `timezone`; by default the start of the current month')),
    to: Type.Optional(BoundSchema('End, exclusive; a date is its start in `timezone`; by default the end of the current month')),
    window: Type.Optional(Type.Enum([...CALENDAR_WINDOWS], { description: 'Weeks begin on Monday' })),
    timezone: Type.Optional(
      Type.String({
        maxLength: 64,
        default: 'UTC',
        description: 'IANA name: where hours, days, weeks and months begin',
        examples: ['Europe/Berlin'],
      }),
    ),
    groupBy: Type.Optional(
      Type.String({
        maxLength: 1024,
        description: 'Comma-separated: `customer` and dimensions of the meter',
        examples: ['model,customer'],
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: PAGE_ROWS_MAX,
        description: `Rows of a page; without it all rows are answered at once, up to ${USAGE_ROWS_MAX}`,
      }),
    ),
    cursor: Type.Optional(
      Type.String({ maxLength: USAGE_CURSOR_CHARS_MAX, description: '`nextCursor` of the page before, with the same parameters' }),
    ),
    ...WaitQuerySchema.properties,
  },
  { additionalProperties: true, description: '`filter[dimension]=value` takes only events with this value; repeat it for any of several' },
)

const UsageSchema = Type.Object({
  data: Type.Array(
    Type.Object({
      windowStart: InstantSchema,
      windowEnd: InstantSchema,
      value: Type.Union([DecimalSchema, Type.Null()], { description: 'Null for min, max, avg and latest of nothing' }),
      events: Type.Integer(),
      customer: Type.Optional(Type.String()),
      dimensions: Type.Optional(Type.Record(Type.String(), Type.String())),
    }),
  ),
  nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'Where the next page goes on; null at the end' }),
  asOf: InstantSchema,
  warnings: Type.Optional(
    Type.Array(Type.Object({ code: Type.Enum(['series_beyond_max']), detail: Type.String() }), {
      description:
        '`series_beyond_max`: some usage counts as `(other)`, as a customer had more combinations of dimensions a day than `seriesMax`',
    }),
  ),
})
export type UsageJson = Static<typeof UsageSchema>

const USAGE_SCHEMA = {
  tags: ['meters'],
  summary: 'What a meter counted',
  description:
    'One row per window and group, in this order; windows in which nothing was counted have none. Without `window` a row spans the whole time asked for. ' +
    '`limit` asks for pages, of any number of groups; each page is counted when it is asked for. ' +
    'Windows are whole ones of the calendar: of the first and last, only what lies between `from` and `to` is counted. ' +
    '`filter[dimension]=value` takes only events with this value; repeat it for any of several values. ' +
    'Every event received before `asOf` is counted.',
  operationId: 'queryUsage',
  params: Type.Object({ key: KeySchema }),
  querystring: UsageQuerySchema,
  response: {
    200: UsageSchema,
    400: ProblemSchema,
    404: ProblemSchema,
    409: ProblemSchema,
    503: ProblemSchema,
  },
}

function otherWarning(meter: Meter, events: number) {
  const detail = `${events} events count as ${OTHER_VALUE} in each dimension, as their customers had more than ${seriesMaxOf(meter)} combinations of dimensions a day: filters leave them out, totals and invoices hold them. Drop a dimension that differs in every event, or raise seriesMax of meter ${meter.key}`
  return { code: 'series_beyond_max' as const, detail }
}

type UsageQueryParameters = {
  readonly customer?: readonly string[]
  readonly from?: string
  readonly to?: string
  readonly window?: CalendarWindow
  readonly timezone?: string
  readonly groupBy?: string
}

function parseUsageQuery(
  query: UsageQueryParameters,
  meter: Meter,
  nowMs: InstantMs,
): Outcome<CalendarUsageRequest & { timezone: string }> {
  const errors: FieldError[] = []
  const zone = findTimeZone(query.timezone ?? 'UTC')
  if (zone === null) {
    errors.push({
      field: 'timezone',
      code: 'unknown_timezone',
      detail: `timezone must be an IANA name such as Europe/Berlin, was '${query.timezone}'`,
    })
  }
  const range = rangeOf(query, zone ?? timeZone('UTC'), nowMs)
  if (isRefusal(range)) errors.push(...((range.errors ?? []) as readonly FieldError[]))
  const dimensions = Object.keys(meter.dimensions)
  const known = `meter ${meter.key} has ${dimensions.length === 0 ? 'no dimensions' : `the dimensions ${dimensions.join(', ')}`}`
  const groupBy = [...new Set((query.groupBy ?? '').split(',').map((name) => name.trim()))].filter((name) => name !== '')
  for (const name of groupBy) {
    if (name === 'customer' || dimensions.includes(name)) continue
    errors.push({ field: 'groupBy', code: 'unknown_dimension', detail: `groupBy takes customer and dimensions, not '${name}': ${known}` })
  }
  const filter = parseFilter(query as Readonly<Record<string, unknown>>, dimensions, known, errors)
  if (zone === null || isRefusal(range) || errors.length > 0) {
    return refuseFields('invalid_request', errors)
  }
  return {
    ...(query.customer === undefined ? {} : { customers: query.customer as readonly CustomerKey[] }),
    ...(query.window === undefined ? {} : { window: query.window }),
    ...range,
    timezone: zone.name,
    groupBy,
    filter,
    rowsMax: USAGE_ROWS_MAX,
  }
}

/** The current month by default. */
function rangeOf(query: UsageQueryParameters, zone: TimeZone, nowMs: InstantMs): Outcome<TimeRange> {
  const { startMs: fromMs, endMs: toMs } = calendarWindowAt('month', zone.name, nowMs)
  return parseTimeRange(query, zone, { fromMs, toMs })
}

const PARAMETERS: ReadonlySet<string> = new Set(Object.keys(UsageQuerySchema.properties))

/** Checks the part that the schema leaves open: `filter[name]`, and nothing else. */
function parseFilter(
  query: Readonly<Record<string, unknown>>,
  dimensions: readonly string[],
  known: string,
  errors: FieldError[],
): Readonly<Record<string, readonly string[]>> {
  const filter: [string, readonly string[]][] = []
  for (const [parameter, given] of Object.entries(query)) {
    if (PARAMETERS.has(parameter)) continue
    const name = /^filter\[(.+)\]$/.exec(parameter)?.[1]
    const values = [given].flat().map(String)
    if (name === undefined) {
      errors.push({ field: parameter, code: 'unknown_parameter', detail: `there is no parameter '${parameter}'` })
    } else if (!dimensions.includes(name)) {
      errors.push({ field: parameter, code: 'unknown_dimension', detail: `filter takes dimensions, not '${name}': ${known}` })
    } else if (values.length > FILTER_VALUES_MAX) {
      errors.push({
        field: parameter,
        code: 'too_many_values',
        detail: `${parameter} takes at most ${FILTER_VALUES_MAX} values, had ${values.length}`,
      })
    } else {
      filter.push([name, values])
    }
  }
  return Object.fromEntries(filter)
}

/** A plain total has a row even when nothing was counted. */
function withTotal(rows: readonly UsageRow[], { window, groupBy }: CalendarUsageRequest): readonly UsageRow[] {
  return rows.length === 0 && window === undefined && groupBy.length === 0 ? [NOTHING_COUNTED] : rows
}

const NOTHING_COUNTED: UsageRow = {
  windowStartMs: null,
  customer: null,
  dimensions: {},
  events: 0,
  sum: 0n,
  min: null,
  max: null,
  latest: null,
  latestAtMs: null,
  latestOffset: null,
  latestIndex: null,
  unique: [],
}

function usageJson(row: UsageRow, meter: Meter, usage: CalendarUsageRequest & { timezone: string }) {
  const { window, timezone } = usage
  const value = aggregateValue(meter.aggregation, row)
  const startMs = row.windowStartMs ?? usage.fromMs
  return {
    windowStart: instantJson(startMs),
    windowEnd: instantJson(window === undefined ? usage.toMs : calendarWindowAt(window, timezone, startMs).endMs),
    value: value === null ? null : formatQuantity(value),
    events: row.events,
    ...(row.customer === null ? {} : { customer: row.customer }),
    ...(Object.keys(row.dimensions).length === 0 ? {} : { dimensions: row.dimensions }),
  }
}
