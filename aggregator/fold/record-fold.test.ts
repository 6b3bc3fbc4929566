import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CounterDelta } from '../../adapters/counters/counters.ts'
import type { StoredEvent, UsageStore, WindowKey, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { type CounterState, mergeCounterStates } from '../../domain/metering/counter-state.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'
import { AGGREGATIONS, type Meter } from '../../domain/metering/meter.ts'
import { type Aggregate, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { SETTLEMENT_TYPE } from '../../domain/metering/usage-report.ts'
import { inLongRun } from '../../test/support/long-run.ts'
import { createDedupeFilter } from '../dedupe/dedupe-filter.ts'
import { createDeduplicator, type Deduplicator } from '../dedupe/deduplicator.ts'
import { createFeatureCounter } from './counter-fold.ts'
import { createEventPlans, LIVE_TO_OFFSET } from './event-plans.ts'
import { createFoldCustomer, createFoldState, type FoldCustomer, type FoldedRecord, type FoldRecord, foldRecord } from './record-fold.ts'
import { createAwayWindows } from './stored-windows.ts'
import { createWindowFold, isOfChunk, letGoOfWindows, takeRows } from './window-fold.ts'

const tenant = 'acme' as TenantKey
const partition = 0 as Partition
const CHUNK_RECORDS = 3
const meters: Meter[] = AGGREGATIONS.map(
  (aggregation, revision): Meter => ({
    ...{ tenant, key: aggregation as string as MeterKey, revision, eventType: 'call', aggregation },
    value: aggregation === 'count' ? [] : ['n'],
    dimensions: revision % 2 === 0 ? { model: 'model' } : {},
  }),
)
const selective = { tenant, eventType: 'call', where: { model: { equals: 'x' } } } as const
meters.push(
  { ...selective, key: 'selected' as MeterKey, revision: 7, aggregation: 'count', value: [], dimensions: {} },
  {
    ...selective,
    key: 'worked_out' as MeterKey,
    revision: 8,
    aggregation: 'sum',
    value: ['n * 0.3 - 1', 'm'],
    dimensions: {},
    allowNegative: true,
  },
)
/** Revision 3 was made while the log went on. */
const countings = meters.map((meter) => ({ meter, fromOffset: (meter.revision === 3 ? 4 : 0) as Offset, toOffset: LIVE_TO_OFFSET }))
const schedule = { interval: 'hour', anchor: 'calendar', anchorMs: 0 as InstantMs, fromMs: 0 as InstantMs, timezone: 'UTC' } as const

const at = (offset: number) => offset as Offset

/** Rows in the stores by what identifies them, in their highest version. */
type Stores = {
  events: Map<string, StoredEvent>
  windows: Map<string, WindowRow>
  next: Offset
  counters: Map<string, CounterState>
  countersNext: Offset
}
const emptyStores = (): Stores => ({
  events: new Map(),
  windows: new Map(),
  next: 0 as Offset,
  counters: new Map(),
  countersNext: 0 as Offset,
})

/** Lives of one fold over a log, each ended by a crash: some rows of its last flush may be written, or none. */
type Life = {
  readonly records: number
  readonly flushEvery: number
  /** After this many records all windows are dropped from memory. */
  readonly letGoEvery: number
  readonly crash: 'clean' | 'before' | 'events' | 'windows'
}

function live(log: readonly FoldRecord[], stores: Stores, life: Life): void {
  const from = (Math.floor(Math.min(stores.next, stores.countersNext) / CHUNK_RECORDS) * CHUNK_RECORDS) as Offset
  const state = createFoldState(
    createWindowFold({ partition, chunkRecords: CHUNK_RECORDS, chunkBase: 0 }),
    from,
    stores.next,
    stores.countersNext,
  )
  const dedupe = restoredFrom(stores, from)
  const plans = createEventPlans()
  plans.count(countings)
  const customers = new Map<CustomerKey, FoldCustomer>()
  const flush = (crash: Life['crash']) => {
    const rows = takeRows(state.windows)
    const { events } = state
    state.events = []
    if (crash === 'before') return
    for (const event of events) stores.events.set(`${event.offset} ${event.index}`, event)
    if (crash === 'events') return
    for (const row of rows) {
      const key = windowKey(row, row.chunk)
      const held = stores.windows.get(key)
      if (held === undefined || row.version >= held.version) stores.windows.set(key, row)
    }
    if (crash === 'windows') return
    stores.next = Math.max(stores.next, state.next) as Offset
  }
  const end = Math.min(log.length, Math.max(stores.next, from) + life.records)
  for (let offset = from; offset < end; offset++) {
    const record = log[offset]
    if (record === undefined) continue
    bringBackFor(record)
    const { deltas } = foldOne(record, dedupe, customers)
    if (record.offset >= stores.countersNext) apply(stores, deltas, record.offset)
    const letsGo = (offset + 1) % life.letGoEvery === 0
    if (letsGo || (offset + 1) % life.flushEvery === 0) flush('clean')
    if (letsGo) letGoOfWindows(state.windows)
  }
  flush(life.crash)

  function bringBackFor({ offset, events }: FoldRecord): void {
    if (!isOfChunk(state.windows, offset)) return
    const away = createAwayWindows(state.windows, plans)
    for (const event of events) away.note(event, tenant, customerOf(customers, event.customer))
    away.takeBack(
      away.keys().flatMap((key) => stores.windows.get(windowKey(key, state.windows.chunk)) ?? []),
      offset,
    )
  }

  function foldOne(record: FoldRecord, deduplicator: Deduplicator, known: Map<CustomerKey, FoldCustomer>): FoldedRecord {
    const hashes = record.events.map(({ customer, source, id }) => eventHash(hashSeed(tenant, customer), source, id))
    const undecided = deduplicator.undecided(tenant, record.events, Float64Array.from(hashes), record.receivedAtMs)
    const stored = new Set(
      record.events.filter((event, index) => undecided.includes(index) && isStoredBefore(stores, { event, offset: record.offset, index })),
    )
    return foldRecord(state, record, {
      ...plans,
      sets: null,
      customerAt: (index) => customerOf(known, record.events[index]?.customer ?? ('' as CustomerKey)),
      isRepeat: (index, event) => deduplicator.isRecentRepeat(tenant, event, hashes[index] ?? 0, record.receivedAtMs) || stored.has(event),
      accepted: (index, event) => deduplicator.remember(hashes[index] ?? 0, event),
    })
  }
}

function windowKey({ revision, customer, windowStartMs, dimensions }: WindowKey, chunk: number): string {
  return JSON.stringify([revision, customer, windowStartMs, dimensions, chunk])
}

function restoredFrom(stores: Stores, from: Offset): Deduplicator {
  const filter = createDedupeFilter(0 as InstantMs)
  for (const event of stores.events.values()) {
    if (event.offset < from) filter.add(eventHash(hashSeed(tenant, event.customer), event.source, event.id), event.receivedAtMs)
  }
  return createDeduplicator({} as UsageStore, filter)
}

function isStoredBefore(
  stores: Stores,
  { event, offset, index }: { event: Pick<UsageEvent, 'customer' | 'id'>; offset: Offset; index: number },
) {
  return [...stores.events.values()].some(
    (held) =>
      held.id === event.id && held.customer === event.customer && (held.offset < offset || (held.offset === offset && held.index < index)),
  )
}

function customerOf(known: Map<CustomerKey, FoldCustomer>, key: CustomerKey): FoldCustomer {
  let customer = known.get(key)
  if (customer === undefined) {
    const counters = meters.map((meter) => {
      const feature = meter.key as string as FeatureKey
      return createFeatureCounter(
        { feature, meter, filter: {}, schedule, boundariesMs: [], keptFromMs: null, definition: feature },
        0 as InstantMs,
      )
    })
    customer = createFoldCustomer(new Map([['call', counters]]))
    known.set(key, customer)
  }
  return customer
}

function apply(stores: Stores, deltas: readonly CounterDelta[], offset: Offset): void {
  for (const { customer, feature, periodStartMs, update } of deltas) {
    const key = JSON.stringify([customer, feature, periodStartMs])
    const held = stores.counters.get(key)
    stores.counters.set(key, held === undefined ? update : mergeCounterStates(held, update))
  }
  stores.countersNext = (offset + 1) as Offset
}

/** A window over its chunks. */
function totals(stores: Stores, withoutLogOrder = false): Record<string, unknown> {
  const merged = new Map<string, Aggregate>()
  for (const row of stores.windows.values()) {
    const key = JSON.stringify([row.meter, row.customer, row.windowStartMs, row.dimensions])
    merged.set(key, mergeAggregates(merged.get(key) ?? emptyAggregate, row))
  }
  return Object.fromEntries(
    [...merged].map(([key, { latest, unique, ...rest }]) => [
      key,
      { ...rest, unique: [...unique].sort(), latest: withoutLogOrder ? latest?.occurredAtMs : latest },
    ]),
  )
}
const counted = (stores: Stores) =>
  Object.fromEntries(
    [...stores.counters].map(([key, state]) => [key, 'values' in state ? { ...state, values: [...state.values].sort() } : state]),
  )

const event = fc.record({
  id: fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8'),
  source: fc.constant('default'),
  type: fc.constantFrom('call', 'call', 'other'),
  customer: fc.constantFrom('a', 'b').map((key) => key as CustomerKey),
  subject: fc.constant(null),
  occurredAtMs: fc.integer({ min: 0, max: 7_200_000 }).map((ms) => ms as InstantMs),
  data: fc.constantFrom(
    '{"n":1,"model":"x"}',
    '{"n":"0.5","model":"y"}',
    '{"n":7}',
    '{}',
    '{"n":[]}',
    '{"n":"a"}',
    '{"n":0.30000000000000004,"model":"x","m":"a"}',
    '{"n":-1,"model":"x"}',
  ),
  attributes: fc.constant(null),
})
const logs = fc
  .array(fc.array(event, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 12 })
  .map((batches) =>
    batches.map((events, offset) => ({ tenant, events, offset: offset as Offset, receivedAtMs: (1_000 + offset) as InstantMs })),
  )
const lives = fc.array(
  fc.record({
    records: fc.integer({ min: 0, max: 6 }),
    flushEvery: fc.integer({ min: 1, max: 5 }),
    letGoEvery: fc.integer({ min: 1, max: 5 }),
    crash: fc.constantFrom<Life['crash'][]>('clean', 'before', 'events', 'windows'),
  }),
  { maxLength: 6 },
)
const wholeLife: Life = {
  records: Number.MAX_SAFE_INTEGER,
  flushEvery: Number.MAX_SAFE_INTEGER,
  letGoEvery: Number.MAX_SAFE_INTEGER,
  crash: 'clean',
}

test('Flushed anywhere, let go of anywhere, crashed anywhere and begun anew, the fold ends with the same rows and counters', () => {
  fc.assert(
    fc.property(logs, lives, fc.integer({ min: 1, max: 9 }), (log, crashes, letGoEvery) => {
      const [once, often] = [emptyStores(), emptyStores()]
      live(log, once, wholeLife)
      for (const life of [...crashes, { ...wholeLife, letGoEvery }]) live(log, often, life)
      expect(often.windows).toEqual(once.windows)
      expect(often.events).toEqual(once.events)
      expect(counted(often)).toEqual(counted(once))
    }),
    { numRuns: inLongRun(500, 125) },
  )
})

test('A settlement: what its events count and the hold that they end come out of one record, and a repeat ends the hold too', () => {
  const state = createFoldState(createWindowFold({ partition, chunkRecords: CHUNK_RECORDS, chunkBase: 0 }), at(0), at(0), at(0))
  const plans = createEventPlans()
  plans.count(countings)
  const customers = new Map<CustomerKey, FoldCustomer>()
  const seen = new Set<string>()
  const customer = 'a' as CustomerKey
  const base = { customer, source: 'tollgate', subject: null, occurredAtMs: 1_000 as InstantMs, attributes: null }
  const events: UsageEvent[] = [
    { ...base, id: 'r:0', type: 'call', data: '{"n":3,"model":"x"}' },
    { ...base, id: 'r:1', type: 'call', data: '{"n":4,"model":"y"}' },
    { ...base, id: 'r', type: SETTLEMENT_TYPE, data: '{"reservation":"r","feature":"f","events":2}' },
  ]
  const fold = (offset: number) =>
    foldRecord(
      state,
      { tenant, events, offset: at(offset), receivedAtMs: 1_000 as InstantMs },
      {
        ...plans,
        sets: null,
        customerAt: () => customerOf(customers, customer),
        isRepeat: (_index, { id }) => seen.has(id),
        accepted: (_index, { id }) => seen.add(id),
      },
    )
  const settles = [{ tenant, customer, id: 'r' }]
  const first = fold(0)
  expect(first.settles).toEqual(settles)
  expect(first.deltas.find(({ feature }) => feature === 'sum')?.update).toEqual({ kind: 'add', amount: 7_000_000_000n })
  expect(fold(1)).toEqual({ deltas: [], settles })
  expect(state.tally).toMatchObject({ accepted: 3, repeated: 3 })
  expect(takeRows(state.windows).every(({ events: counted }) => counted <= 2)).toBe(true)
})

test('Sent twice, in another order and other batches, the same events make the same totals', () => {
  const deliveries = fc
    .uniqueArray(event, { selector: ({ id, customer }) => `${id} ${customer}`, minLength: 1, maxLength: 16 })
    .chain((events) =>
      fc.tuple(
        fc.constant(events),
        fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 }),
        fc.integer({ min: 1, max: 5 }),
      ),
    )
  fc.assert(
    fc.property(deliveries, ([events, delivered, batchEvents]) => {
      const [clean, hostile] = [emptyStores(), emptyStores()]
      // From the offset on at which the last meter was added, so that it counts all events in both.
      live(logOf(events, 100), clean, wholeLife)
      live(logOf(delivered, batchEvents), hostile, wholeLife)
      expect(totals(hostile, true)).toEqual(totals(clean, true))
      expect(hostile.events.size).toBe(events.length)
    }),
  )
})

function logOf(events: readonly UsageEvent[], batchEvents: number): FoldRecord[] {
  const log: FoldRecord[] = []
  const append = (batch: readonly UsageEvent[]) =>
    log.push({ tenant, events: batch, offset: log.length as Offset, receivedAtMs: 1_000 as InstantMs })
  while (log.length < 4) append([])
  for (let from = 0; from < events.length; from += batchEvents) append(events.slice(from, from + batchEvents))
  return log
}
