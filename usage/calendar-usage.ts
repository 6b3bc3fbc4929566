import {
  type EventScan,
  storedInstantMs,
  type UsagePage,
  type UsageQuery,
  type UsageRow,
  type UsageStore,
} from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Period } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { OTHER_VALUE } from '../domain/metering/series.ts'
import { type CalendarWindow, type WindowRun, windowRuns, windowStartIn } from '../domain/time/calendar-windows.ts'
import { MINUTE_MS } from '../domain/time/durations.ts'
import { countedEvents } from './counted-events.ts'
import { minuteOf } from './position-cut.ts'
import { compareUsageGroups, mergeUsageRows, refuseTooManyRows } from './usage-rows.ts'
import { createUsageTally } from './usage-tally.ts'

/** Half-open, to the millisecond. */
export type CalendarUsageRequest = {
  /** Any of these customers; all when undefined. */
  readonly customers?: readonly CustomerKey[]
  readonly exceptCustomers?: readonly CustomerKey[]
  readonly fromMs: InstantMs
  readonly toMs: InstantMs
  /** Undefined: one row per group. */
  readonly window?: CalendarWindow
  /** IANA name; decides where hours, days, weeks and months begin. */
  readonly timezone?: string
  /** 'customer' and names of dimensions. */
  readonly groupBy: readonly string[]
  readonly filter: DimensionFilter
  /** One more row is refused with `too_many_rows`; with `page` it is answered, and says that there are more. */
  readonly rowsMax: number
  readonly page?: UsagePage
}

/**
 * What a complete meter counted in one time, by calendar windows, in the order of window and group. Whole minutes are answered by
 * windows, the at most two minutes that the time cuts by their events.
 */
export async function readCalendarUsage(
  usageStore: Pick<UsageStore, 'usage' | 'scanEvents'>,
  meter: Meter,
  request: CalendarUsageRequest,
): Promise<readonly UsageRow[]> {
  const { groupBy, rowsMax, page } = request
  const fromMs = storedInstantMs(request.fromMs)
  const toMs = storedInstantMs(request.toMs)
  if (fromMs >= toMs) return []
  const windows = request.window === undefined ? undefined : windowRuns(request.window, request.timezone ?? 'UTC', fromMs, toMs)
  const wholeFromMs = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS
  const wholeToMs = Math.floor(toMs / MINUTE_MS) * MINUTE_MS
  const hasWhole = wholeFromMs < wholeToMs
  const cut: readonly (readonly [number, number])[] =
    wholeFromMs > wholeToMs
      ? [[fromMs, toMs]]
      : [
          [fromMs, wholeFromMs],
          [wholeToMs, toMs],
        ]
  const edges = cut.flatMap(([startMs, endMs]) => (startMs < endMs ? [{ startMs: startMs as InstantMs, endMs: endMs as InstantMs }] : []))
  const whole = hasWhole ? await usageStore.usage(windowQuery(meter, request, windows, wholeFromMs, wholeToMs)) : []
  const rest = await tallyEdges(usageStore, meter, request, windows, edges)
  if (rest.length === 0) return whole
  const rows = mergeUsageRows([...whole, ...rest], groupBy)
  if (page === undefined) refuseTooManyRows(rows.length, rowsMax)
  return [...rows].sort((a, b) => compareUsageGroups(a, b, groupBy)).slice(0, rowsMax + 1)
}

/**
 * Events of the time that count as `(other)`, whose dimensions the windows no longer tell: in an answer by dimension they stand
 * under that name, and a filter leaves them out. 0 where no dimension is asked for.
 */
export async function readOtherEvents(
  usageStore: Pick<UsageStore, 'usage'>,
  meter: Meter,
  { window: _window, page: _page, ...request }: CalendarUsageRequest,
): Promise<number> {
  const [dimension] = [...request.groupBy.filter((name) => name !== 'customer'), ...Object.keys(request.filter)]
  if (dimension === undefined) return 0
  const fromMs = Math.floor(storedInstantMs(request.fromMs) / MINUTE_MS) * MINUTE_MS
  const toMs = Math.ceil(storedInstantMs(request.toMs) / MINUTE_MS) * MINUTE_MS
  const ofOther = { ...request, groupBy: [], filter: { [dimension]: [OTHER_VALUE] } }
  const [row] = await usageStore.usage(windowQuery(meter, ofOther, undefined, fromMs, toMs))
  return row?.events ?? 0
}

function windowQuery(
  meter: Meter,
  { customers, exceptCustomers, groupBy, filter, rowsMax, page }: CalendarUsageRequest,
  windows: readonly WindowRun[] | undefined,
  fromMs: number,
  toMs: number,
): UsageQuery {
  return {
    ...(customers === undefined ? {} : { customers }),
    ...(exceptCustomers === undefined ? {} : { exceptCustomers }),
    ...(windows === undefined ? {} : { windows }),
    ...(page === undefined ? {} : { page }),
    ...{ groupBy, filter, rowsMax },
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    aggregation: meter.aggregation,
    fromMs: fromMs as InstantMs,
    toMs: toMs as InstantMs,
  }
}

async function tallyEdges(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  meter: Meter,
  { customers, exceptCustomers, groupBy, filter, rowsMax, page }: CalendarUsageRequest,
  windows: readonly WindowRun[] | undefined,
  edges: readonly Period[],
): Promise<readonly UsageRow[]> {
  const windowStartOf = windows === undefined ? undefined : (instantMs: InstantMs) => windowStartIn(windows, instantMs)
  const tally = createUsageTally(meter, { groupBy, windowStartOf, rowsMax, page })
  const isWithin = (instantMs: InstantMs) => edges.some(({ startMs, endMs }) => instantMs >= startMs && instantMs < endMs)
  for (const scan of edgeScans(edges, customers, exceptCustomers)) {
    for await (const counted of countedEvents(usageStore, { meter, filter }, scan)) {
      if (isWithin(counted.event.occurredAtMs)) tally.add(counted)
    }
  }
  return tally.rows()
}

/** Minutes of known customers are one look-up by key, however many they are; otherwise each edge is a scan by time. */
function edgeScans(
  edges: readonly Period[],
  customers: readonly CustomerKey[] | undefined,
  exceptCustomers: readonly CustomerKey[] | undefined,
): readonly EventScan[] {
  const except = exceptCustomers === undefined ? {} : { exceptCustomers }
  if (customers === undefined) return edges.map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: endMs, ...except }))
  if (edges.length === 0) return []
  const starts = new Set(edges.map(({ startMs }) => minuteOf(startMs)))
  return [{ minutes: customers.flatMap((customer) => [...starts].map((startMs) => ({ customer, startMs }))) }]
}
