import type { CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import { aggregateOfRow, type EventScan, type StoredEvent, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import { createPeriodLookup, keptPeriods, type TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import { type CustomerKey, END_OF_TIME_MS, type InstantMs, type Offset, type Period } from '../../domain/identity.ts'
import { eventTypesOf, readEvent } from '../../domain/metering/event-reading.ts'
import {
  type Aggregate,
  addToAggregate,
  counterStateOf,
  emptyAggregate,
  matchesFilter,
  mergeAggregates,
} from '../../domain/metering/metering.ts'
import { parsedData } from '../fold/record-fold.ts'
import { MINUTE_MS } from '../fold/window-fold.ts'
import { LATEST_MS } from '../intake/usage-before.ts'

export type TrackingWork = { readonly customer: CustomerRef; readonly features: readonly TrackedFeature[] }

/**
 * Computes counters from the usage store, which holds exactly the events below `at`: for each feature the periods that it
 * keeps, and whatever has come in for later ones. Whole minutes are read from windows, the rest of a period that does not
 * begin on a minute from the events.
 */
export async function computeCounters(
  usageStore: UsageStore,
  work: readonly TrackingWork[],
  at: Offset,
  nowMs: InstantMs,
): Promise<ReadonlyMap<CustomerRef, readonly TrackedCounter[]>> {
  const types = new Set(work.flatMap(({ features }) => features.flatMap(({ meter }) => eventTypesOf(meter))))
  const reader = createUsageReader(usageStore, at, [...types])
  const wanted = work.flatMap(({ customer, features }) => features.map((tracked) => ({ customer, tracked, span: spanOf(tracked, nowMs) })))
  const used = await customersWithUsage(usageStore, wanted)
  const counters = new Map<CustomerRef, TrackedCounter[]>(work.map(({ customer }) => [customer, []]))
  for (const item of wanted) {
    const { customer, tracked, span } = item
    const periods = used.has(item) ? await periodsOf(reader, customer, tracked, span) : []
    const { feature, definition } = tracked
    const kept = tracked.keptFromMs === null ? {} : { periodsKept: span.whole.length + PERIODS_TO_COME }
    counters.get(customer)?.push({ feature, definition, trackedFromMs: span.fromMs, periods, ...kept })
  }
  return counters
}

type Wanted = { readonly customer: CustomerRef; readonly tracked: TrackedFeature; readonly span: Span }
/** `whole` are periods answered from windows; from `tailFromMs` on, mostly in the future, events are read one by one. */
type Span = { readonly fromMs: InstantMs; readonly whole: readonly Period[]; readonly tailFromMs: InstantMs }

/** A counter that keeps more than two periods is tracked anew when what is left depends on others, or after so many more. */
const PERIODS_TO_COME = 1_000

function spanOf(tracked: TrackedFeature, nowMs: InstantMs): Span {
  const whole = keptPeriods(tracked, nowMs)
  const [first] = whole
  const last = whole.at(-1)
  invariant(first !== undefined && last !== undefined, 'the period under way is kept')
  const tailFromMs = last.endMs >= END_OF_TIME_MS ? END_OF_TIME_MS : floorMinute(last.endMs)
  return { fromMs: first.startMs, whole, tailFromMs }
}

/** Most customers that are asked for the first time have used nothing yet: one query a meter and filter tells which have. */
async function customersWithUsage(usageStore: UsageStore, wanted: readonly Wanted[]): Promise<ReadonlySet<Wanted>> {
  const used = new Set<Wanted>()
  const groups = Map.groupBy(wanted, ({ tracked }) => JSON.stringify([tracked.meter.tenant, tracked.meter.revision, tracked.filter]))
  for (const group of groups.values()) {
    for (let from = 0; from < group.length; from += CUSTOMERS_PER_QUERY_MAX) {
      const some = group.slice(from, from + CUSTOMERS_PER_QUERY_MAX)
      const [first] = some
      if (first === undefined) continue
      const customers = [...new Set(some.map(({ customer }) => customer.customer))]
      const fromMs = floorMinute(Math.min(...some.map(({ span }) => span.fromMs)))
      const rows = await usageStore.usage({ ...queryOf(first.tracked, customers), fromMs, toMs: floorMinute(END_OF_TIME_MS) })
      const withUsage = new Set(rows.map(({ customer }) => customer))
      for (const item of some) if (withUsage.has(item.customer.customer)) used.add(item)
    }
  }
  return used
}

async function periodsOf(
  reader: UsageReader,
  customer: CustomerRef,
  tracked: TrackedFeature,
  span: Span,
): Promise<TrackedCounter['periods']> {
  const { meter, filter } = tracked
  const counters = createPeriodLookup(tracked)
  const totals = new Map<InstantMs, Aggregate>()
  const add = (startMs: InstantMs, aggregate: Aggregate) =>
    void totals.set(startMs, mergeAggregates(totals.get(startMs) ?? emptyAggregate, aggregate))
  const cutMinutesMs = await addWindows(reader, customer, tracked, span, add)
  const addEvents = (events: readonly StoredEvent[]) => {
    for (const event of events) {
      if (event.occurredAtMs < span.fromMs) continue
      const read = readEvent(meter, event, parsedData(event.data))
      if (read === null || !matchesFilter(filter, read.dimensions)) continue
      const period = counters.at(event.occurredAtMs)
      add(period.startMs, addToAggregate(emptyAggregate, meter.aggregation, read.reading, event))
    }
  }
  const toMs = Math.min(span.tailFromMs, LATEST_MS)
  const storedMinutesMs = cutMinutesMs.filter((startMs) => startMs >= 0 && startMs < toMs)
  addEvents(await reader.eventsOfMinutes(customer, storedMinutesMs))
  if (span.tailFromMs < END_OF_TIME_MS) addEvents(await reader.eventsFrom(customer, span.tailFromMs))
  return [...totals].flatMap(([startMs, aggregate]) => {
    const state = counterStateOf(meter.aggregation, aggregate)
    return state === null ? [] : [{ startMs, state }]
  })
}

/** Adds what windows say, and returns the minutes that a period cuts: of these only the events say which belong to it. */
async function addWindows(
  reader: UsageReader,
  customer: CustomerRef,
  tracked: TrackedFeature,
  { whole, fromMs: firstMs }: Span,
  add: (startMs: InstantMs, aggregate: Aggregate) => void,
): Promise<readonly InstantMs[]> {
  const cutMinutesMs = new Set<InstantMs>()
  const lastStartMs = whole.at(-1)?.startMs ?? firstMs
  let singly = whole
  if (whole.length > PERIODS_READ_SINGLY_MAX && lastStartMs - firstMs <= MINUTES_READ_MS_MAX) {
    const counters = createPeriodLookup(tracked)
    for (const { startMs, aggregate } of await reader.minutes(tracked, customer, floorMinute(firstMs), ceilMinute(lastStartMs))) {
      const period = counters.at(startMs)
      const endMs = (startMs + MINUTE_MS) as InstantMs
      if (startMs >= firstMs && endMs <= period.endMs) add(period.startMs, aggregate)
      else cutMinutesMs.add(startMs)
    }
    singly = whole.slice(-1)
  }
  for (const { startMs, endMs } of singly) {
    const fromMs = ceilMinute(startMs)
    const toMs = floorMinute(endMs)
    if (fromMs < toMs) add(startMs, await reader.windows(tracked, customer, fromMs, toMs))
    if (fromMs > startMs) cutMinutesMs.add(floorMinute(startMs))
  }
  return [...cutMinutesMs]
}

/** Beyond so many, one query for all their minutes costs less than one for each. The last may be long, and is read singly. */
const PERIODS_READ_SINGLY_MAX = 8
/** As long as minutes are few enough. */
const MINUTES_READ_MS_MAX = 90 * 86_400_000

/** Reads what several features of a customer share once: those of one subscription begin their periods at the same instant. */
type UsageReader = {
  windows(tracked: TrackedFeature, customer: CustomerRef, fromMs: InstantMs, toMs: InstantMs): Promise<Aggregate>
  /** Those with usage. */
  minutes(tracked: TrackedFeature, customer: CustomerRef, fromMs: InstantMs, toMs: InstantMs): Promise<readonly Minute[]>
  /** All in one scan: a customer that was reset by hand a hundred times has a hundred minutes that a period cuts. */
  eventsOfMinutes(customer: CustomerRef, minutesMs: readonly InstantMs[]): Promise<readonly StoredEvent[]>
  eventsFrom(customer: CustomerRef, fromMs: InstantMs): Promise<readonly StoredEvent[]>
}

type Minute = { readonly startMs: InstantMs; readonly aggregate: Aggregate }

/** `types` are those of the meters that are read. */
function createUsageReader(usageStore: UsageStore, at: Offset, types: readonly string[]): UsageReader {
  const scans = new Map<string, Promise<readonly StoredEvent[]>>()

  function eventsOf({ tenant, customer, partition }: CustomerRef, times: EventTimes): Promise<readonly StoredEvent[]> {
    const key = JSON.stringify([tenant, customer, times])
    const known = scans.get(key)
    if (known !== undefined) return known
    const scan = collect(usageStore.scanEvents({ tenant, customers: [customer], types, partition, toOffset: at, ...times }))
    scans.set(key, scan)
    return scan
  }

  return {
    async windows(tracked, customer, fromMs, toMs) {
      const [row] = await usageStore.usage({ ...queryOf(tracked, [customer.customer]), fromMs, toMs })
      return row === undefined ? emptyAggregate : aggregateOfRow(row)
    },
    async minutes(tracked, customer, fromMs, toMs) {
      const query = { ...queryOf(tracked, [customer.customer]), fromMs, toMs, window: 'minute', rowsMax: MINUTES_MAX } as const
      const rows = await usageStore.usage(query)
      return rows.flatMap((row) => (row.windowStartMs === null ? [] : [{ startMs: row.windowStartMs, aggregate: aggregateOfRow(row) }]))
    },
    eventsOfMinutes(ref, minutesMs) {
      if (minutesMs.length === 0) return Promise.resolve([])
      const { customer } = ref
      return eventsOf(ref, { minutes: minutesMs.map((startMs) => ({ customer, startMs })) })
    },
    eventsFrom: (ref, fromMs) => eventsOf(ref, { fromMs, toMs: END_OF_TIME_MS }),
  }
}

type EventTimes = Pick<EventScan, 'minutes' | 'fromMs' | 'toMs'>

async function collect(pages: AsyncIterable<readonly StoredEvent[]>): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const page of pages) events.push(...page)
  return events
}

function queryOf({ meter, filter }: TrackedFeature, customers: readonly CustomerKey[]) {
  return {
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    customers,
    groupBy: ['customer'],
    filter,
    rowsMax: customers.length,
  }
}

const CUSTOMERS_PER_QUERY_MAX = 5_000
const MINUTES_MAX = MINUTES_READ_MS_MAX / MINUTE_MS + 2

function floorMinute(instantMs: number): InstantMs {
  return (Math.floor(instantMs / MINUTE_MS) * MINUTE_MS) as InstantMs
}

function ceilMinute(instantMs: number): InstantMs {
  return (Math.ceil(instantMs / MINUTE_MS) * MINUTE_MS) as InstantMs
}
