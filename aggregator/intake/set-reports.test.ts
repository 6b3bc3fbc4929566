import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventScan, StoredEvent, UsageStore, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import { formatQuantity, NANO, parseQuantity } from '../../domain/decimal.ts'
import type { TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { usedQuantity } from '../../domain/metering/counter-state.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import { inLongRun } from '../../test/support/long-run.ts'
import { customerUsageOf } from '../../test/support/models/customer-usage-model.ts'
import { createFeatureCounter } from '../fold/counter-fold.ts'
import { createEventPlans, LIVE_TO_OFFSET } from '../fold/event-plans.ts'
import { createFoldCustomer, createFoldState, type FoldCustomer, foldRecord } from '../fold/record-fold.ts'
import { createWindowFold, takeRows } from '../fold/window-fold.ts'
import type { Flusher } from '../partition/flusher.ts'
import type { ReadyRecord } from './record-intake.ts'
import { prepareSetReports } from './set-reports.ts'

const tenant = 'acme' as TenantKey
const partition = 0 as Partition
const CHUNK_RECORDS = 3
const HOUR = 3_600_000
/** Hours that do not begin on a minute, so that their first and last minutes are read event by event. */
const HOUR_STARTS_AT = 12_345
const filter = { model: ['x', 'y'] }
const sum: Meter = {
  ...{ tenant, key: 'tokens' as MeterKey, revision: 1, eventType: 'call', aggregation: 'sum' },
  value: ['n'],
  dimensions: { model: 'model' },
}
const count: Meter = { ...sum, key: 'calls' as MeterKey, revision: 2, aggregation: 'count', value: [] }
const meters = [sum, count]
const tracked = (meter: Meter): TrackedFeature => ({
  feature: meter.key as string as FeatureKey,
  meter,
  filter,
  schedule: { interval: 'hour', anchor: 'subscription', anchorMs: at(HOUR_STARTS_AT), fromMs: at(HOUR_STARTS_AT), timezone: 'UTC' },
  boundariesMs: [],
  keptFromMs: null,
  definition: meter.key,
})

function at(ms: number): InstantMs {
  return ms as InstantMs
}

/** The happenings in the order of the log. A small pool of ids makes repeats. */
type Said =
  | { readonly kind: 'event'; readonly n: number; readonly model: string }
  | { readonly kind: 'delta' | 'set'; readonly meter: Meter; readonly quantity: number }
type Happening = { readonly id: number; readonly customer: CustomerKey; readonly atMs: number; readonly said: Said }

const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('event' as const), n: fc.nat(9), model: fc.constantFrom('x', 'y', 'z') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delta' as const),
      meter: fc.constantFrom(...meters),
      quantity: fc.integer({ min: -9, max: 9 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('set' as const), meter: fc.constantFrom(...meters), quantity: fc.nat(20) }) },
)
const happening: fc.Arbitrary<Happening> = fc.record({
  id: fc.nat(30),
  customer: fc.constantFrom('a', 'b').map((key) => key as CustomerKey),
  // Many near the cut between two hours.
  atMs: fc.oneof(
    fc.integer({ min: HOUR_STARTS_AT, max: 3 * HOUR }),
    fc.integer({ min: HOUR + HOUR_STARTS_AT - 60_000, max: HOUR + HOUR_STARTS_AT + 60_000 }),
  ),
  said,
})
const logs = fc.array(fc.array(happening, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 14 })

function hourOf(atMs: number): number {
  return Math.floor((atMs - HOUR_STARTS_AT) / HOUR)
}

/** The slow, obvious way: a list of every event that counts. */
function model(log: readonly (readonly Happening[])[]): Map<string, bigint> {
  const seen = new Set<string>()
  const counted: { customer: string; meter: Meter; atMs: number; units: number }[] = []
  const usage = (customer: string, meter: Meter, hour: number) =>
    counted
      .filter((each) => each.customer === customer && each.meter === meter && hourOf(each.atMs) === hour)
      .reduce((total, { units }) => total + units, 0)
  for (const { id, customer, atMs, said: what } of log.flat()) {
    const key = `${customer} ${what.kind} ${id}`
    if (seen.has(key)) continue
    seen.add(key)
    if (what.kind === 'event') {
      if (what.model === 'z') continue
      counted.push({ customer, meter: sum, atMs, units: what.n }, { customer, meter: count, atMs, units: 1 })
    } else {
      const before = what.kind === 'set' ? usage(customer, what.meter, hourOf(atMs)) : 0
      counted.push({ customer, meter: what.meter, atMs, units: what.quantity - before })
    }
  }
  const totals = new Map<string, bigint>()
  for (const { customer, meter, atMs, units } of counted) {
    const key = `${customer} ${meter.key} ${hourOf(atMs)}`
    totals.set(key, (totals.get(key) ?? 0n) + BigInt(units) * NANO)
  }
  return totals
}

function usageEvent({ id, customer, atMs, said: what }: Happening): UsageEvent {
  const base = { id: `${what.kind} ${id}`, customer, subject: null, occurredAtMs: at(atMs), attributes: null }
  if (what.kind === 'event') return { ...base, source: 'default', type: 'call', data: JSON.stringify({ n: what.n, model: what.model }) }
  const startMs = hourOf(atMs) * HOUR + HOUR_STARTS_AT
  const period = { periodStart: new Date(startMs).toISOString(), periodEnd: new Date(startMs + HOUR).toISOString(), filter }
  const report = {
    ...{ feature: what.meter.key, meter: what.meter.key, quantity: String(what.quantity), behaviour: what.kind },
    ...{ dimensions: { model: 'x' }, ...(what.kind === 'set' ? period : {}) },
  }
  return { ...base, source: 'tollgate', type: USAGE_REPORT_TYPE, data: JSON.stringify(report) }
}

type Stores = {
  readonly events: Map<string, StoredEvent>
  readonly windows: Map<string, WindowRow>
  next: Offset
  readonly counters: Map<string, bigint>
  countersNext: Offset
}
const emptyStores = (): Stores => ({
  events: new Map(),
  windows: new Map(),
  next: 0 as Offset,
  counters: new Map(),
  countersNext: 0 as Offset,
})

/**
 * One life of the fold, which ends by a crash in its last flush. A `stale` life begins where the life before it began and does
 * not know that another has gone on since: its late writes must be the same.
 */
type Life = {
  readonly records: number
  readonly batch: number
  readonly isStale: boolean
  /** Whether windows may be read, or only events. */
  readonly isComplete: boolean
  readonly crash: 'clean' | 'before' | 'events' | 'windows'
}
const lives = fc.array(
  fc.record({
    records: fc.nat(8),
    batch: fc.integer({ min: 1, max: 5 }),
    isStale: fc.boolean(),
    isComplete: fc.boolean(),
    crash: fc.constantFrom<Life['crash'][]>('clean', 'before', 'events', 'windows'),
  }),
  { maxLength: 6 },
)

async function live(log: readonly ReadyRecord[], isRepeat: (event: UsageEvent) => boolean, stores: Stores, life: Life, staleNext: Offset) {
  const storedNext = life.isStale ? staleNext : stores.next
  const countersNext = life.isStale ? (Number.MAX_SAFE_INTEGER as Offset) : stores.countersNext
  const from = (Math.floor(Math.min(storedNext, countersNext) / CHUNK_RECORDS) * CHUNK_RECORDS) as Offset
  const windows = createWindowFold({ partition, chunkRecords: CHUNK_RECORDS, chunkBase: 0 })
  const state = createFoldState(windows, from, storedNext, countersNext)
  const plans = createEventPlans()
  plans.count(meters.map((meter) => ({ meter, fromOffset: 0 as Offset, toOffset: LIVE_TO_OFFSET })))
  const customers = new Map<string, FoldCustomer>()
  const flush = async (crash: Life['crash']) => {
    const rows = takeRows(windows)
    const { events } = state
    state.events = []
    if (crash === 'before') return
    for (const event of events) stores.events.set(`${event.offset} ${event.index}`, event)
    if (crash === 'events') return
    for (const row of rows) putWindow(stores, row)
    if (crash === 'windows' || life.isStale) return
    stores.next = Math.max(stores.next, state.next) as Offset
  }
  const deps = {
    usageStore: readSide(stores),
    meters: { get: async (_: TenantKey, key: MeterKey) => meters.find((meter) => meter.key === key) ?? null },
    flusher: { flush: () => flush('clean') } as unknown as Flusher,
  }
  const end = Math.min(log.length, from + life.records)
  for (let next = from as number; next < end; next += life.batch) {
    const batch = log.slice(next, Math.min(end, next + life.batch))
    const sets = await prepareSetReports(deps, { partition, next: state.next }, batch, () => life.isComplete)
    for (const {
      record,
      batch: { events },
    } of batch) {
      const { deltas } = foldRecord(
        state,
        { tenant, events, offset: record.offset, receivedAtMs: record.receivedAtMs },
        {
          ...plans,
          customerAt: (index) => customerOf(customers, events[index]?.customer ?? ''),
          isRepeat: (_, event) => isRepeat(event),
          accepted: () => undefined,
          sets,
        },
      )
      if (record.offset < state.countersNext) continue
      for (const { customer, feature, periodStartMs, update } of deltas) {
        const key = `${customer} ${feature} ${hourOf(periodStartMs)}`
        stores.counters.set(key, (stores.counters.get(key) ?? 0n) + usedQuantity(update))
      }
      stores.countersNext = (record.offset + 1) as Offset
    }
  }
  await flush(life.crash)
}

function customerOf(known: Map<string, FoldCustomer>, key: string): FoldCustomer {
  const customer =
    known.get(key) ?? createFoldCustomer(new Map([['call', meters.map((meter) => createFeatureCounter(tracked(meter), at(0)))]]))
  known.set(key, customer)
  return customer
}

function putWindow(stores: Stores, row: WindowRow): void {
  const key = JSON.stringify([row.revision, row.customer, row.windowStartMs, row.dimensions, row.chunk])
  const held = stores.windows.get(key)
  if (held === undefined || row.version >= held.version) stores.windows.set(key, row)
}

/** The part of a usage store that is read here; the port's contract suite shows that real ones answer the same. */
function readSide({ events, windows }: Stores): UsageStore {
  const inRange = (value: number, from = 0, to = Number.POSITIVE_INFINITY) => value >= from && value < to
  const side: Pick<UsageStore, 'chunkRecords' | 'activations' | 'scanEvents' | 'usageOfCustomers'> = {
    chunkRecords: () => CHUNK_RECORDS,
    activations: async () => [],
    async *scanEvents({ types, customers, minutes, fromMs, toMs, fromOffset, toOffset }: EventScan) {
      const isInMinute = (event: StoredEvent) =>
        minutes?.some(({ customer, startMs }) => customer === event.customer && inRange(event.occurredAtMs, startMs, startMs + 60_000))
      yield [...events.values()].filter(
        (event) =>
          (types === undefined || types.includes(event.type)) &&
          (customers === undefined || customers.includes(event.customer)) &&
          (isInMinute(event) ?? true) &&
          inRange(event.occurredAtMs, fromMs, toMs) &&
          inRange(event.offset, fromOffset, toOffset),
      )
    },
    usageOfCustomers: async (query) =>
      customerUsageOf(
        [...windows.values()].filter(({ revision }) => revision === query.revision),
        query,
        CHUNK_RECORDS,
      ),
  }
  return side as UsageStore
}

function readyRecords(log: readonly (readonly Happening[])[]): ReadyRecord[] {
  return log.map((happenings, offset) => ({
    record: { partition, offset: offset as Offset, receivedAtMs: at(0), value: new Uint8Array() },
    batch: { tenant, events: happenings.map(usageEvent) },
    customers: [],
    hashes: new Float64Array(),
    hasReports: true,
  }))
}

/** Dedupe has its own tests: here the first in the log is the one that counts. */
function repeatsOf(log: readonly ReadyRecord[]): (event: UsageEvent) => boolean {
  const firsts = new Map<string, UsageEvent>()
  for (const event of log.flatMap(({ batch }) => batch.events)) {
    const key = `${event.customer} ${event.id}`
    if (!firsts.has(key)) firsts.set(key, event)
  }
  const first = new Set(firsts.values())
  return (event) => !first.has(event)
}

/** By customer, meter and hour, from the stored events; and the same from windows and counters, where they can tell. */
function counted(stores: Stores) {
  const fromEvents = new Map<string, bigint>()
  const windows = new Map<string, bigint>()
  const add = (totals: Map<string, bigint>, key: string, units: bigint) => void totals.set(key, (totals.get(key) ?? 0n) + units)
  for (const { customer, occurredAtMs, type, data } of stores.events.values()) {
    const hour = hourOf(occurredAtMs)
    const { n, model: ofModel, meter, behaviour, quantity, delta } = JSON.parse(data) as Record<string, string>
    if (type === USAGE_REPORT_TYPE)
      add(fromEvents, `${customer} ${meter} ${hour}`, parseQuantity((behaviour === 'set' ? delta : quantity) ?? '') ?? 0n)
    else if (ofModel !== 'z') {
      add(fromEvents, `${customer} tokens ${hour}`, BigInt(n ?? 0) * NANO)
      add(fromEvents, `${customer} calls ${hour}`, NANO)
    }
  }
  for (const row of stores.windows.values()) if (row.dimensions.model !== 'z') add(windows, `${row.customer} ${row.meter}`, row.sum)
  return { fromEvents, windows }
}

function readable(totals: ReadonlyMap<string, bigint>): Record<string, string> {
  return Object.fromEntries([...totals].filter(([, units]) => units !== 0n).map(([key, units]) => [key, formatQuantity(units)]))
}

function withoutHours(totals: ReadonlyMap<string, bigint>): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const [key, units] of totals) {
    const name = key.slice(0, key.lastIndexOf(' '))
    sums.set(name, (sums.get(name) ?? 0n) + units)
  }
  return sums
}

test('Deltas and sets among events, in any order: all totals are the obvious ones, wherever the fold was cut, crashed, or ran twice', async () => {
  await fc.assert(
    fc.asyncProperty(logs, lives, fc.integer({ min: 1, max: 20 }), async (log, crashes, batch) => {
      const stores = emptyStores()
      const ready = readyRecords(log)
      const isRepeat = repeatsOf(ready)
      let staleNext = 0 as Offset
      for (const life of crashes) {
        const before = stores.next
        await live(ready, isRepeat, stores, life, staleNext)
        staleNext = before
      }
      await live(
        ready,
        isRepeat,
        stores,
        { records: log.length + CHUNK_RECORDS, batch, isStale: false, isComplete: true, crash: 'clean' },
        staleNext,
      )
      const expected = model(log)
      const { fromEvents, windows } = counted(stores)
      expect(readable(fromEvents)).toEqual(readable(expected))
      expect(readable(stores.counters)).toEqual(readable(expected))
      expect(readable(windows)).toEqual(readable(withoutHours(expected)))
    }),
    { numRuns: inLongRun(500, 125) },
  )
})
