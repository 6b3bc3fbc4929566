import {
  type CustomerUsageRow,
  type CutOffs,
  storedInstantMs,
  type UsageRow,
  type UsageStore,
} from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Period } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { type CountedEvent, countedEvents } from './counted-events.ts'
import { createPositionCut, minuteOf } from './position-cut.ts'
import { createTimeline } from './timeline.ts'
import { mergeUsageRows, refuseTooManyRows } from './usage-rows.ts'
import { createUsageTally, type UsageTally } from './usage-tally.ts'

/** Which usage of a complete meter to read: the events that pass the filter, grouped by dimensions. */
export type UsageShape = { readonly meter: Meter; readonly groupBy: readonly string[]; readonly filter: DimensionFilter }

/** Half-open, to the millisecond. Periods of one customer may overlap. */
export type CustomerPeriod = { readonly customer: CustomerKey; readonly period: Period }

export type PeriodUsageOptions = {
  /** Counts what lies below these offsets, whatever the store holds beyond; the store's position has passed each. Undefined: all. */
  readonly cutOffs?: CutOffs | undefined
  /** Rows of one query; a customer with more is refused with `too_many_rows`. */
  readonly rowsMax: number
}

type PeriodUsageStore = Pick<UsageStore, 'usageOfCustomers' | 'scanEvents' | 'activations' | 'chunkRecords'>
type OneCustomer = readonly [CustomerKey, readonly CustomerPeriod[]]

/** Periods in one query. */
const PERIODS_PER_QUERY_MAX = 20_000
/** Minutes in one look-up of events. */
const MINUTES_PER_SCAN_MAX = 20_000

/**
 * What customers used in periods, in the order asked for: one row per group, none where nothing was counted. Whole minutes are
 * answered by windows, one query for up to 20,000 customers whatever their periods; events decide the minutes that a period cuts
 * and the windows that a cut-off cuts. In most cases there are none. A customer with usage beyond `seriesMax` is counted from
 * events alone where dimensions are asked for, so what a filter names is exact whatever became of its windows.
 */
export async function readPeriodUsage(
  usageStore: PeriodUsageStore,
  shape: UsageShape,
  asked: readonly CustomerPeriod[],
  options: PeriodUsageOptions,
): Promise<readonly (readonly UsageRow[])[]> {
  const answers = new Map<CustomerPeriod, readonly UsageRow[]>()
  const byCustomer = [...Map.groupBy(asked, ({ customer }) => customer)]
  for (const some of pagesOf(byCustomer)) await readPage(usageStore, shape, some, options, answers)
  return asked.map((each) => answers.get(each) ?? [])
}

function* pagesOf(byCustomer: readonly OneCustomer[]): Iterable<readonly OneCustomer[]> {
  let page: OneCustomer[] = []
  let periods = 0
  for (const one of byCustomer) {
    if (page.length > 0 && periods + one[1].length > PERIODS_PER_QUERY_MAX) {
      yield page
      page = []
      periods = 0
    }
    page.push(one)
    periods += one[1].length
  }
  if (page.length > 0) yield page
}

async function readPage(
  usageStore: PeriodUsageStore,
  shape: UsageShape,
  some: readonly OneCustomer[],
  options: PeriodUsageOptions,
  answers: Map<CustomerPeriod, readonly UsageRow[]>,
): Promise<void> {
  const { meter, groupBy, filter } = shape
  const { cutOffs, rowsMax } = options
  const timelines = new Map(some.map(([customer, asked]) => [customer, createTimeline(asked.map(({ period }) => period))]))
  const rows = await usageStore.usageOfCustomers({
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    aggregation: meter.aggregation,
    periods: new Map([...timelines].map(([customer, { segments }]) => [customer, segments])),
    groupBy,
    filter,
    cutOffs,
    rowsMax,
  })
  if (rows === null) {
    if (some.length === 1) return refuseTooManyRows(rowsMax + 1, rowsMax)
    const half = some.length >> 1
    await readPage(usageStore, shape, some.slice(0, half), options, answers)
    return await readPage(usageStore, shape, some.slice(half), options, answers)
  }
  const segments = createSegmentUsage(shape, rowsMax)
  const eventCounted = new Set(rows.flatMap(({ customer, isOther }) => (isOther ? [customer] : [])))
  const told = eventCounted.size === 0 ? rows : rows.filter(({ customer }) => !eventCounted.has(customer))
  for (const row of told) if (row.cutMinuteMs === null && row.beyond === null) segments.addRow(row)
  const wholes = [...timelines].filter(([customer]) => eventCounted.has(customer))
  for await (const counted of joined(
    eventsThatDecide(usageStore, shape, told, cutOffs),
    eventsOfPeriods(
      usageStore,
      shape,
      wholes.map(([customer, { segments }]) => [customer, segments]),
      cutOffs,
    ),
  )) {
    const segment = timelines.get(counted.event.customer)?.segmentAt(counted.event.occurredAtMs)
    if (segment !== null && segment !== undefined) segments.addEvent(segment, counted)
  }
  for (const [customer, asked] of some) {
    for (const each of asked)
      answers.set(each, usageOf(segments, customer, timelines.get(customer)?.segmentsOf(each.period) ?? [], groupBy))
  }
}

function usageOf(usage: SegmentUsage, customer: CustomerKey, segments: readonly Period[], groupBy: readonly string[]): readonly UsageRow[] {
  const rows = segments.flatMap(({ startMs }) => usage.rows(customer, startMs))
  return mergeUsageRows(
    rows.map((row) => ({ ...row, customer: null })),
    groupBy,
  )
}

/** Events below the cut-offs in the minutes and windows that the rows leave open. */
async function* eventsThatDecide(
  usageStore: PeriodUsageStore,
  shape: UsageShape,
  rows: readonly CustomerUsageRow[],
  cutOffs: CutOffs | undefined,
): AsyncIterable<CountedEvent> {
  const cutMinutes = new Map<string, Minute>()
  const minutes = new Map<string, Minute>()
  for (const { customer, cutMinuteMs, beyond } of rows) {
    const startMs = cutMinuteMs ?? beyond?.windowStartMs
    if (startMs === undefined) continue
    const minute = { customer, startMs }
    minutes.set(minuteName(minute), minute)
    if (cutMinuteMs !== null) cutMinutes.set(minuteName(minute), minute)
  }
  if (minutes.size === 0) return
  const beyond = rows.flatMap(({ customer, beyond: window }) => (window === null ? [] : [{ customer, ...window }]))
  const positionCut = await createPositionCut(usageStore, shape.meter, cutOffs ?? new Map(), beyond)
  const all = [...minutes.values()]
  for (let from = 0; from < all.length; from += MINUTES_PER_SCAN_MAX) {
    const scan = { minutes: all.slice(from, from + MINUTES_PER_SCAN_MAX), ...onlyPartition(cutOffs) }
    for await (const counted of countedEvents(usageStore, shape, scan)) {
      const { customer, occurredAtMs, partition, offset } = counted.event
      const isInCutMinute = cutMinutes.has(minuteName({ customer, startMs: minuteOf(occurredAtMs) }))
      const isBelow = cutOffs === undefined || offset < (cutOffs.get(partition) ?? 0)
      if (isInCutMinute ? isBelow : positionCut.holds(counted)) yield counted
    }
  }
}

/**
 * All events of these customers from their first period to their last: for usage whose dimensions the windows no longer tell, as
 * the customer had more of them than the meter keeps.
 */
async function* eventsOfPeriods(
  usageStore: PeriodUsageStore,
  shape: UsageShape,
  wholes: readonly (readonly [CustomerKey, readonly Period[]])[],
  cutOffs: CutOffs | undefined,
): AsyncIterable<CountedEvent> {
  for (const [customer, periods] of wholes) {
    const fromMs = storedInstantMs(Math.min(...periods.map(({ startMs }) => startMs)))
    const toMs = storedInstantMs(Math.max(...periods.map(({ endMs }) => endMs)))
    const scan = { customers: [customer], fromMs, toMs, ...onlyPartition(cutOffs) }
    for await (const counted of countedEvents(usageStore, shape, scan)) {
      const { partition, offset } = counted.event
      if (cutOffs === undefined || offset < (cutOffs.get(partition) ?? 0)) yield counted
    }
  }
}

async function* joined<Item>(...sources: readonly AsyncIterable<Item>[]): AsyncIterable<Item> {
  for (const source of sources) yield* source
}

type Minute = { readonly customer: CustomerKey; readonly startMs: InstantMs }

function minuteName({ customer, startMs }: Minute): string {
  return `${startMs} ${customer}`
}

/** Spares the store reading beyond the cut-off where everything is in one partition. */
function onlyPartition(cutOffs: CutOffs | undefined) {
  const [only, ...others] = cutOffs ?? []
  return only === undefined || others.length > 0 ? {} : { partition: only[0], toOffset: only[1] }
}

/** Rows of windows and tallies of events, by segment. */
type SegmentUsage = {
  addRow(row: CustomerUsageRow): void
  addEvent(segment: Period, counted: CountedEvent): void
  rows(customer: CustomerKey, segmentStartMs: InstantMs): readonly UsageRow[]
}

function createSegmentUsage({ meter, groupBy }: UsageShape, rowsMax: number): SegmentUsage {
  const windows = new Map<string, CustomerUsageRow[]>()
  const tallies = new Map<string, UsageTally>()
  return {
    addRow(row) {
      const name = minuteName({ customer: row.customer, startMs: row.periodStartMs })
      const known = windows.get(name)
      if (known === undefined) windows.set(name, [row])
      else known.push(row)
    },
    addEvent({ startMs }, counted) {
      const name = minuteName({ customer: counted.event.customer, startMs })
      const tally = tallies.get(name) ?? createUsageTally(meter, { groupBy, rowsMax })
      tallies.set(name, tally)
      tally.add(counted)
    },
    rows(customer, startMs) {
      const name = minuteName({ customer, startMs })
      return [...(windows.get(name) ?? []), ...(tallies.get(name)?.rows() ?? [])]
    },
  }
}
