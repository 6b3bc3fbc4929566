import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as immediate } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Counters } from '../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../adapters/counters/embedded/embedded-counters.ts'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import { createChangeListeners } from '../adapters/database/engine/change-listeners.ts'
import { openPGliteDatabase } from '../adapters/database/engine/pglite-database.ts'
import type { MeterStore } from '../adapters/database/meters/meter-store.ts'
import type { LogRecord } from '../adapters/event-log/event-log.ts'
import { createLmdbEventLog } from '../adapters/event-log/lmdb/lmdb-event-log.ts'
import { openChdbUsageStore } from '../adapters/usage-store/engine/chdb-usage-store.ts'
import type { Flush, UsageStore } from '../adapters/usage-store/usage-store.ts'
import { NO_ENTITLEMENT_INPUTS } from '../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../domain/entitlements/entitlements.ts'
import { trackedDefinition } from '../domain/entitlements/tracked-feature.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, Partition, PlanKey, ProductKey, TenantKey } from '../domain/identity.ts'
import type { Meter, MeterDefinition } from '../domain/metering/meter.ts'
import { partitionOf } from '../domain/metering/partitioning.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import { orThrow } from '../domain/refusal.ts'
import { databaseStores } from '../runtime/database-stores.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { encodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'
import { copyPreparedCatalog } from '../test/support/prepared-directory.ts'
import { type Aggregator, createAggregator } from './aggregator.ts'
import { computeCounters } from './tracking/compute-counters.ts'

const NOW_MS = Date.UTC(2025, 5, 15, 12) as InstantMs
const clock = { ...systemClock, now: () => NOW_MS }
const log = pino({ level: 'silent' })
const PARTITIONS = 2
const soon = { timeout: 20_000, interval: 20 }

/** One set of stores for all tests, as opening them takes longest; each test has its own tenant. */
let tenant: TenantKey
let tests = 0
let path: string
let stores: Awaited<ReturnType<typeof openStores>>
let aggregator: Aggregator | null
let setAside: { record: LogRecord; reason: string }[]

async function openStores() {
  const registry = new Registry()
  const eventLog = await createLmdbEventLog({ clock: systemClock, path: join(path, 'log'), partitions: PARTITIONS, log, registry })
  const usageStore = await openChdbUsageStore({ clock: systemClock, path: join(path, 'usage'), chunkRecords: 8, log, registry })
  await usageStore.migrate()
  const counters = await createEmbeddedCounters({ path: join(path, 'counters'), clock, log, registry })
  await copyPreparedCatalog(join(path, 'catalog'))
  const database = await openPGliteDatabase({ path: join(path, 'catalog'), clock, randomBytes, log })
  await database.migrate()
  return { ...databaseStores(database.session), database, changes: database.changes, eventLog, usageStore, counters }
}

async function startAggregator(over: Partial<typeof stores> = {}): Promise<Aggregator> {
  aggregator = createAggregator({
    ...stores,
    ...over,
    clock,
    log,
    registry: new Registry(),
    onUndecodable: async (record, reason) => void setAside.push({ record, reason }),
    options: { flushIntervalMs: 50 },
  })
  await aggregator.start()
  return aggregator
}

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-aggregator-'))
  stores = await openStores()
})
afterAll(async () => {
  const { eventLog, usageStore, counters, database } = stores
  for (const store of [eventLog, usageStore, counters, database]) await store.stop()
  await rm(path, { recursive: true, force: true })
})
beforeEach(() => {
  tenant = `tenant-${++tests}` as TenantKey
  setAside = []
  aggregator = null
})
afterEach(async () => {
  await aggregator?.stop()
})

const usageEvent = (id: string, data: object = { tokens: 1 }, over: Partial<UsageEvent> = {}): UsageEvent => ({
  id,
  source: 'default',
  type: 'llm.request',
  customer: 'c1' as CustomerKey,
  subject: null,
  occurredAtMs: (NOW_MS - 90_000) as InstantMs,
  data: JSON.stringify(data),
  attributes: null,
  ...over,
})
const send = (events: UsageEvent[], receivedAtMs: InstantMs = NOW_MS) =>
  stores.eventLog.append(
    partitionOf(tenant, events[0]?.customer ?? ('' as CustomerKey), PARTITIONS),
    encodeUsageEventBatch({ tenant, events }),
    receivedAtMs,
  )
const tokensMeter: MeterDefinition = { eventType: 'llm.request', aggregation: 'sum', value: ['tokens'], dimensions: { model: 'model' } }
const putMeter = async (key: string, definition: MeterDefinition) =>
  orThrow(await stores.meters.put(tenant, key as MeterKey, definition)).value

async function total(key: string) {
  const meter = await stores.meters.get(tenant, key as MeterKey)
  if (meter === null) return null
  const range = { fromMs: 0 as InstantMs, toMs: (NOW_MS + 86_400_000) as InstantMs }
  const query = { tenant, meter: meter.key, revision: meter.revision, ...range, groupBy: [], filter: {}, rowsMax: 10 }
  const [row] = await stores.usageStore.usage(query)
  return { events: row?.events ?? 0, sum: row?.sum ?? 0n }
}
async function isComplete({ key, revision }: Meter) {
  const ofMeter = (await stores.usageStore.activations()).filter((each) => each.tenant === tenant && each.meter === key)
  return ofMeter.filter((each) => each.revision === revision && each.backfilled).length === PARTITIONS
}
const units = (number: number) => BigInt(number) * 1_000_000_000n
const settled = () =>
  vi.waitFor(async () => {
    const positions = await stores.usageStore.positions()
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { next } = await stores.eventLog.range(partition as Partition)
      expect(positions.get(partition as Partition) ?? 0).toBe(next)
    }
  }, soon)

test('Events become windows and rows, repeats count once, and new customers appear', async () => {
  await putMeter('tokens', tokensMeter)
  await startAggregator()
  await send([usageEvent('a', { tokens: 5, model: 'x' }), usageEvent('a', { tokens: 5 }), usageEvent('b', { tokens: '0.5' })])
  await send([usageEvent('b', { tokens: 9 }), usageEvent('c', { tokens: 'many' }), usageEvent('a', {}, { customer: 'c2' as CustomerKey })])
  await settled()
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 2, sum: units(5) + 500_000_000n }), soon)
  expect(await stores.usageStore.events({ tenant, limit: 100, bytesMax: 1e9 })).toHaveLength(4)
  expect((await stores.customers.get(tenant, 'c2' as CustomerKey))?.key).toBe('c2')
})

test('Many events that wait are folded in slices of a few thousand, between which others have their turn', async () => {
  const records = 24
  for (let n = 0; n < records; n++) await send(Array.from({ length: 1_000 }, (_, index) => usageEvent(`slice-${n}-${index}`)))
  const steps: number[] = []
  let last: number | null = null
  const apply: Counters['apply'] = async (partition, applied) => {
    const reached = applied.at(-1)?.offset ?? 0
    if (partition === partitionOf(tenant, 'c1' as CustomerKey, PARTITIONS) && last !== null) steps.push(reached - last)
    if (partition === partitionOf(tenant, 'c1' as CustomerKey, PARTITIONS)) last = reached
    await stores.counters.apply(partition, applied)
  }
  await startAggregator({ counters: { ...stores.counters, apply } })
  await settled()
  expect(steps.length).toBeGreaterThanOrEqual(records / 5 - 1)
  expect(Math.max(...steps)).toBeLessThanOrEqual(5)
})

test('A meter made after its events answers for them, and a changed one is counted anew', async () => {
  await startAggregator()
  for (let record = 0; record < 20; record++) await send([usageEvent(`early-${record}`, { tokens: 2, input: 1 })])
  const first = await putMeter('tokens', tokensMeter)
  await send([usageEvent('late', { tokens: 3, input: 1 })])
  await vi.waitFor(async () => expect(await isComplete(first)).toBe(true), soon)
  await settled()
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 21, sum: units(43) }), soon)
  const second = await putMeter('tokens', { ...tokensMeter, value: ['tokens', 'input'] })
  expect(second.revision).not.toBe(first.revision)
  await vi.waitFor(async () => expect(await isComplete(second)).toBe(true), soon)
  await settled()
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 21, sum: units(64) }), soon)
  await vi.waitFor(async () => {
    const ofTenant = (await stores.usageStore.activations()).filter((activation) => activation.tenant === tenant)
    const revisions = new Set(ofTenant.map(({ revision }) => revision))
    expect([...revisions]).toEqual([second.revision])
  }, soon)
})

test('A meter is complete in the end, however often meters change meanwhile', async () => {
  const others = createChangeListeners()
  let changesLeft = 0
  const changes: ChangeFeed = {
    ...stores.changes,
    subscribe(listener) {
      others.subscribe(listener)
      stores.changes.subscribe(listener)
    },
  }
  const meters: MeterStore = {
    ...stores.meters,
    async all() {
      const found = await stores.meters.all()
      await immediate()
      if (changesLeft > 0) {
        changesLeft--
        others.tell([{ tenant, topic: 'meters', key: 'another' as MeterKey }])
      }
      return found
    },
  }
  await startAggregator({ changes, meters })
  for (const customer of ['c1', 'c2', 'c3', 'c4']) await send([usageEvent('a', { tokens: 1 }, { customer: customer as CustomerKey })])
  await settled()
  changesLeft = 300
  const meter = await putMeter('tokens', tokensMeter)
  await vi.waitFor(async () => expect(await isComplete(meter)).toBe(true), soon)
  expect(changesLeft).toBeGreaterThan(0)
  expect(await total('tokens')).toMatchObject({ events: 4 })
})

test('A repeat is found across restarts, also when the flush before was cut short', async () => {
  await putMeter('tokens', tokensMeter)
  const running = await startAggregator()
  for (let record = 0; record < 11; record++) await send([usageEvent(`e${record}`), usageEvent(`f${record}`)])
  await settled()
  await running.drain()
  await running.stop()
  // The next life writes events and windows, but dies before it writes its position.
  const cutShort: UsageStore = {
    ...stores.usageStore,
    async write(flush: Flush) {
      await stores.usageStore.write({ ...flush, positions: [] })
      throw new Error('killed')
    },
  }
  const written = vi.spyOn(cutShort, 'write')
  for (let record = 0; record < 4; record++) await send([usageEvent(`g${record}`), usageEvent(`e${record}`)])
  const dying = await startAggregator({ usageStore: cutShort })
  await vi.waitFor(() => expect(written).toHaveBeenCalled(), soon)
  await dying.stop()
  await startAggregator()
  for (let record = 0; record < 11; record++) await send([usageEvent(`e${record}`), usageEvent(`g${record}`)])
  await settled()
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 22 + 11, sum: units(22 + 11) }), soon)
})

test('A record that cannot be decoded is set aside and the next ones are counted', async () => {
  await putMeter('tokens', tokensMeter)
  await startAggregator()
  const partition = partitionOf(tenant, 'c1' as CustomerKey, PARTITIONS)
  await stores.eventLog.append(partition, new Uint8Array([1, 2, 3]), NOW_MS)
  await send([usageEvent('a')])
  await settled()
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 1, sum: units(1) }), soon)
  expect(setAside.map(({ record }) => record.value)).toEqual([Buffer.from([1, 2, 3])])
})

/** A customer with 100 tokens of some models an hour. */
async function subscribe(customer: CustomerKey, tokens: Meter, startMs: InstantMs) {
  const feature = {
    key: 'tokens' as FeatureKey,
    name: 'Tokens',
    type: 'metered',
    meter: tokens.key,
    filter: { model: ['a', 'b'] },
    unit: null,
  } as const
  await stores.features.put(tenant, feature)
  await stores.products.put(tenant, { key: 'p' as ProductKey, name: 'P', description: null })
  const entitlement = {
    feature: feature.key,
    limit: '100',
    limitType: 'hard',
    reset: 'hour',
    anchor: 'subscription',
    rollover: null,
    value: null,
  } as const
  await stores.plans.put(tenant, {
    ...{ plan: 'p' as PlanKey, product: 'p' as ProductKey, name: 'P', currency: 'USD', interval: 'month', baseFee: null, charges: [] },
    entitlements: [entitlement],
  })
  await stores.customers.put(tenant, { key: customer, name: null, email: null, subjects: [], metadata: {} })
  await stores.subscriptions.create(tenant, { customer, plan: 'p' as PlanKey, startMs, anchorMs: startMs })
  return feature
}

test('Counters are computed on request from what was used before, and then follow the events', async () => {
  const customer = 'c1' as CustomerKey
  const tokens = await putMeter('tokens', tokensMeter)
  // Periods begin at 17 ms past the minute: the boundary minute belongs to two of them.
  const feature = await subscribe(customer, tokens, (NOW_MS - 5 * 3_600_000 + 17) as InstantMs)
  await startAggregator()
  const hourMs = (NOW_MS - 3_600_000 + 17) as InstantMs
  const at = (id: string, occurredAtMs: number, model = 'a') =>
    usageEvent(id, { tokens: 1, model }, { occurredAtMs: occurredAtMs as InstantMs })
  await send([
    at('1', hourMs),
    at('2', hourMs - 1),
    at('3', hourMs - 17),
    at('4', hourMs + 70_000),
    at('5', NOW_MS + 17),
    at('6', hourMs + 1, 'c'),
  ])
  await settled()
  const ref = { tenant, customer, partition: partitionOf(tenant, customer, PARTITIONS) }
  await stores.counters.requestTracking(ref)
  const inputs = await stores.entitlementInputs.read(tenant, [customer])
  const [tracked] = trackedFeatures(inputs.get(customer) ?? NO_ENTITLEMENT_INPUTS, NOW_MS)
  const used = async (periodStartMs: number) =>
    (await stores.counters.read(ref, [{ feature: feature.key, periodStartMs: periodStartMs as InstantMs }], NOW_MS))[0]
  await vi.waitFor(async () => expect((await used(hourMs))?.usedUnits).toBe(units(2)), soon)
  expect(await used(hourMs)).toMatchObject({ definition: tracked?.definition, trackedFromMs: hourMs - 3_600_000 })
  expect((await used(hourMs - 3_600_000))?.usedUnits).toBe(units(2))
  expect((await used(hourMs + 3_600_000))?.usedUnits).toBe(units(1))
  await send([at('7', hourMs + 5), at('1', hourMs), at('8', hourMs - 3_600_001), at('9', hourMs + 5, 'c')])
  await vi.waitFor(async () => expect((await used(hourMs))?.usedUnits).toBe(units(3)), soon)
  // Another life continues from the counters' position.
  await aggregator?.drain()
  await aggregator?.stop()
  await startAggregator()
  await send([at('10', hourMs + 5), at('7', hourMs + 5)])
  await vi.waitFor(async () => expect((await used(hourMs))?.usedUnits).toBe(units(4)), soon)
})

test('A meter that becomes complete while a customer is computed without it is computed next', async () => {
  const customer = 'c1' as CustomerKey
  const ref = { tenant, customer, partition: partitionOf(tenant, customer, PARTITIONS) }
  const begun = Promise.withResolvers<void>()
  let meter: Meter | null = null
  await startAggregator({
    usageStore: {
      ...stores.usageStore,
      // The backfill of the meter waits until the customer is being computed,
      async *scanEvents(scan) {
        if (meter !== null) await begun.promise
        yield* stores.usageStore.scanEvents(scan)
      },
    },
    counters: {
      ...stores.counters,
      // and the customer's tracking ends when the meter is complete in its partition.
      async track(...tracked) {
        begun.resolve()
        const isFilled = async () =>
          (await stores.usageStore.activations()).some(
            ({ tenant: of, partition, backfilled }) => of === tenant && partition === ref.partition && backfilled,
          )
        await vi.waitFor(async () => expect(await isFilled()).toBe(true), soon)
        for (let turn = 0; turn < 20; turn++) await immediate()
        return stores.counters.track(...tracked)
      },
    },
  })
  await send([usageEvent('a', { tokens: 3, model: 'a' }, { customer, occurredAtMs: NOW_MS })])
  await settled()
  meter = await putMeter('tokens', tokensMeter)
  const feature = await subscribe(customer, meter, (NOW_MS - 3_600_000) as InstantMs)
  await stores.counters.requestTracking(ref)
  const wanted = [{ feature: feature.key, periodStartMs: NOW_MS }]
  await vi.waitFor(async () => expect((await stores.counters.read(ref, wanted, NOW_MS))[0]?.usedUnits).toBe(units(3)), soon)
})

test('A customer that was reset often is counted in as many queries as one that was not', async () => {
  const customer = 'c1' as CustomerKey
  const meter = await putMeter('tokens', tokensMeter)
  const resetsMs = Array.from({ length: 20 }, (_, reset) => (NOW_MS - (reset + 1) * 120_000 + 30_000) as InstantMs).reverse()
  await startAggregator()
  await vi.waitFor(async () => expect(await isComplete(meter)).toBe(true), soon)
  // In the minute of each reset one event before it and two after.
  await send(
    resetsMs.flatMap((resetMs) =>
      [-1, 0, 1].map((afterMs) => usageEvent(`${resetMs} ${afterMs}`, { tokens: 1 }, { occurredAtMs: (resetMs + afterMs) as InstantMs })),
    ),
  )
  await settled()
  // The meter may have come after the events, and count them a moment later.
  await vi.waitFor(async () => expect((await total('tokens'))?.events).toBe(3 * resetsMs.length), soon)
  const partition = partitionOf(tenant, customer, PARTITIONS)
  const scan = vi.fn(stores.usageStore.scanEvents)
  const usage = vi.fn(stores.usageStore.usage)
  const fromMs = (NOW_MS - 86_400_000) as InstantMs
  const schedule = { interval: 'never', anchor: 'subscription', anchorMs: fromMs, fromMs, timezone: 'UTC' } as const
  const basis = { feature: 'tokens' as FeatureKey, meter, filter: {}, schedule, boundariesMs: resetsMs, keptFromMs: fromMs }
  const tracked = { ...basis, definition: trackedDefinition(basis) }
  const ref = { tenant, customer, partition }
  const { next } = await stores.eventLog.range(partition)
  const store = { ...stores.usageStore, scanEvents: scan, usage }
  const computed = await computeCounters(store, [{ customer: ref, features: [tracked] }], next, NOW_MS)
  const periods = computed.get(ref)?.[0]?.periods ?? []
  const ofReset = (tokens: number) => ({ kind: 'add', amount: units(tokens) })
  expect(periods.map(({ startMs }) => startMs).sort()).toEqual([fromMs, ...resetsMs])
  expect(periods.find(({ startMs }) => startMs === fromMs)?.state).toEqual(ofReset(1))
  expect(periods.find(({ startMs }) => startMs === resetsMs[3])?.state).toEqual(ofReset(3))
  expect(periods.find(({ startMs }) => startMs === resetsMs.at(-1))?.state).toEqual(ofReset(2))
  expect(scan.mock.calls.length + usage.mock.calls.length).toBeLessThan(5)
})

test('However many ask for counters, records are folded in between', async () => {
  const partition = partitionOf(tenant, 'c1' as CustomerKey, PARTITIONS)
  const asked = Promise.withResolvers<void>()
  const served = Promise.withResolvers<void>()
  let ask = (_partition: Partition): void => undefined
  let turns = 0
  let turnsBeforeFold: number | null = null
  const counters: Counters = {
    ...stores.counters,
    onTrackingRequest(listener) {
      ask = listener
    },
    async takeTrackingRequests(of) {
      if (of !== partition) return []
      turns++
      asked.resolve()
      await served.promise
      return []
    },
    async apply(of, records) {
      if (of === partition) turnsBeforeFold ??= turns
      await stores.counters.apply(of, records)
    },
  }
  await startAggregator({ counters })
  ask(partition)
  await asked.promise
  for (let request = 0; request < 100; request++) ask(partition)
  await send([usageEvent('a')])
  served.resolve()
  await settled()
  // The turn under way, one for all that asked meanwhile, and one for each second that has passed.
  expect(turnsBeforeFold).toBeGreaterThan(0)
  expect(turnsBeforeFold).toBeLessThan(50)
})

test('Without its usage store it says that it is stalled and why, and goes on when the store is back', async () => {
  await putMeter('tokens', tokensMeter)
  let isDown = true
  const flaky: UsageStore = {
    ...stores.usageStore,
    async write(flush, signal) {
      if (isDown) throw new Error('disk full')
      await stores.usageStore.write(flush, signal)
    },
  }
  let nowMs: number = NOW_MS
  const running = createAggregator({
    ...{ ...stores, usageStore: flaky, clock: { ...systemClock, now: () => nowMs as InstantMs }, log, registry: new Registry() },
    onUndecodable: async () => undefined,
    options: { flushIntervalMs: 10, stalledAfterMs: 5_000 },
  })
  aggregator = running
  await running.start()
  await send([usageEvent('a')])
  await vi.waitFor(() => expect(running.health().reasons).toEqual(['could not flush to the usage store: disk full']), soon)
  expect(running.health().isStalled).toBe(false)
  nowMs += 6_000
  expect(running.health().isStalled).toBe(true)
  isDown = false
  await settled()
  await vi.waitFor(() => expect(running.health()).toMatchObject({ isStalled: false, reasons: [] }), soon)
  expect(running.health().partitions.map(({ lagRecords }) => lagRecords)).toEqual([0, 0])
  await vi.waitFor(async () => expect(await total('tokens')).toEqual({ events: 1, sum: units(1) }), soon)
})

test('A usage store that gives no answer at all is a stall too, with what waits for it', async () => {
  await putMeter('tokens', tokensMeter)
  const hanging = Promise.withResolvers<void>()
  const slow: UsageStore = {
    ...stores.usageStore,
    async write(flush, signal) {
      await hanging.promise
      await stores.usageStore.write(flush, signal)
    },
  }
  let nowMs: number = NOW_MS
  const running = createAggregator({
    ...{ ...stores, usageStore: slow, clock: { ...systemClock, now: () => nowMs as InstantMs }, log, registry: new Registry() },
    onUndecodable: async () => undefined,
    options: { flushIntervalMs: 10, stalledAfterMs: 5_000 },
  })
  aggregator = running
  await running.start()
  await send([usageEvent('a')])
  await vi.waitFor(() => expect(running.health().partitions.some(({ next, storedNext }) => storedNext < next)).toBe(true), soon)
  // The periodic checks see it at one time and at a later one.
  await vi.waitFor(() => {
    nowMs += 1_000
    expect(running.health().isStalled).toBe(true)
  }, soon)
  expect(running.health().reasons).toEqual([
    expect.stringMatching(/^partition \d: records from \d+ on are folded and wait for the usage store, for \d+ s$/),
  ])
  hanging.resolve()
  await vi.waitFor(() => expect(running.health()).toMatchObject({ isStalled: false, reasons: [] }), soon)
})

test('Large events are flushed by their bytes, long before they are many', async () => {
  const flushedBytes: number[] = []
  const counting: UsageStore = {
    ...stores.usageStore,
    async write(flush, signal) {
      flushedBytes.push(flush.events.reduce((sum, { data }) => sum + data.length, 0))
      await stores.usageStore.write(flush, signal)
    },
  }
  const running = createAggregator({
    ...{ ...stores, usageStore: counting, clock, log, registry: new Registry() },
    onUndecodable: async () => undefined,
    options: { flushIntervalMs: 3_600_000, flushBytesMax: 100_000 },
  })
  aggregator = running
  for (let record = 0; record < 50; record++) await send([usageEvent(`large-${record}`, { text: 'x'.repeat(20_000) })])
  await running.start()
  await vi.waitFor(() => expect(flushedBytes.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(900_000), soon)
  expect(Math.max(...flushedBytes)).toBeLessThan(130_000)
})
