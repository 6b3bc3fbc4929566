import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openChdbUsageStore } from '../adapters/usage-store/engine/chdb-usage-store.ts'
import type { CutOffs, MeterActivation, StoredEvent, UsageStore } from '../adapters/usage-store/usage-store.ts'
import { createEventPlans, LIVE_TO_OFFSET } from '../aggregator/fold/event-plans.ts'
import { countEvent, createFoldCustomer, createFoldState, type FoldCustomer } from '../aggregator/fold/record-fold.ts'
import { closeChunk, createWindowFold, enterRecord, takeRows } from '../aggregator/fold/window-fold.ts'
import { backfill } from '../aggregator/meters/backfill.ts'
import { createWindowMemory } from '../aggregator/partition/window-memory.ts'
import { NANO } from '../domain/decimal.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, Period, TenantKey } from '../domain/identity.ts'
import { AGGREGATIONS, type Aggregation, type Meter } from '../domain/metering/meter.ts'
import { aggregateValue } from '../domain/metering/metering.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { inLongRun } from '../test/support/long-run.ts'
import { type CustomerPeriod, readPeriodUsage } from './period-usage.ts'

const CHUNK_RECORDS = 4
const RECORDS = 14
const NOON = Date.UTC(2026, 2, 15, 12)
const SPAN_MS = 4 * 60_000
const CUSTOMERS = ['ann', 'bob', 'cy'] as CustomerKey[]

let path: string
let store: UsageStore
let tenants = 0
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-period-usage-'))
  store = await openChdbUsageStore({
    clock: systemClock,
    path,
    chunkRecords: CHUNK_RECORDS,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  })
  await store.migrate()
})
afterAll(async () => {
  await store.stop()
  await rm(path, { recursive: true, force: true })
})

/** All events of a customer are in one partition. */
function partitionOfCustomer(customer: CustomerKey): Partition {
  return (customer === 'cy' ? 1 : 0) as Partition
}

const instants = fc.integer({ min: 0, max: SPAN_MS }).map((ms) => (NOON + ms) as InstantMs)
const happening = fc.record({
  customer: fc.constantFrom(...CUSTOMERS),
  offset: fc.nat(RECORDS - 1),
  atMs: fc.oneof(
    instants,
    fc.constantFrom(0, 60_000, 119_999).map((ms) => (NOON + ms) as InstantMs),
  ),
  model: fc.constantFrom<string[]>('x', 'y', ''),
  // An event without a value counts only for a count.
  n: fc.option(fc.integer({ min: -3, max: 5 })),
})
const bound = fc.oneof(
  instants,
  fc.integer({ min: -1, max: 5 }).map((minute) => (NOON + minute * 60_000) as InstantMs),
)
const asked = fc.record({
  customer: fc.constantFrom(...CUSTOMERS, 'nobody' as CustomerKey),
  period: fc.tuple(bound, bound).map(([a, b]): Period => ({ startMs: Math.min(a, b) as InstantMs, endMs: Math.max(a, b) as InstantMs })),
})
const offsets = fc.nat(RECORDS + 1) as fc.Arbitrary<Offset & number>
const life = fc.record({
  happenings: fc.array(happening, { minLength: 1, maxLength: 40 }),
  /** Where flushes fall, besides the one at the end, so that rows are written in parts. */
  flushedAfter: fc.uniqueArray(fc.nat(RECORDS), { maxLength: 3 }),
  /** From where the meters of each aggregation count live, by partition; records below are backfilled. */
  liveFrom: fc.array(fc.tuple(offsets, offsets), { minLength: AGGREGATIONS.length, maxLength: AGGREGATIONS.length }),
})
const question = fc.record({
  together: fc.array(asked, { minLength: 1, maxLength: 8 }),
  cutOffs: fc.option(fc.tuple(offsets, offsets).map(([a, b]): CutOffs => new Map([0, 1].map((at) => [at as Partition, at === 0 ? a : b])))),
  filter: fc.constantFrom<Readonly<Record<string, string[]>>[]>({}, { model: ['x', ''] }),
  groupBy: fc.constantFrom([], ['model']),
})

type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never

/** In the order of the log. */
function eventsOf(tenant: TenantKey, happenings: readonly Happening[]): StoredEvent[] {
  const indexes = new Map<string, number>()
  return happenings
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ customer, offset, atMs, model, n }, id) => {
      const partition = partitionOfCustomer(customer)
      const index = indexes.get(`${partition} ${offset}`) ?? 0
      indexes.set(`${partition} ${offset}`, index + 1)
      return {
        ...{ tenant, customer, source: 'default', id: String(id), type: 'call', subject: null, attributes: null },
        ...{ occurredAtMs: atMs, receivedAtMs: (NOON + SPAN_MS) as InstantMs },
        data: JSON.stringify(n === null ? { model } : { model, n }),
        ...{ partition, offset: offset as Offset, index },
      }
    })
}

function metersOf(tenant: TenantKey): Meter[] {
  return AGGREGATIONS.map((aggregation, at) => ({
    ...{ tenant, key: aggregation as string as MeterKey, revision: at + 1, eventType: 'call', aggregation },
    ...{ value: aggregation === 'count' ? [] : ['n'], dimensions: { model: 'model' }, allowNegative: true },
  }))
}

/** Counts as the aggregator does: the fold of live meters, flushed here and there, and the backfill of earlier events. */
async function count(
  events: readonly StoredEvent[],
  meters: readonly Meter[],
  { flushedAfter, liveFrom }: typeof life extends fc.Arbitrary<infer V> ? V : never,
) {
  await store.write({ events, windows: [], positions: [] })
  for (const partition of [0, 1] as Partition[]) {
    const activations = meters.map(
      ({ tenant, key, revision }, at): MeterActivation => ({
        ...{ tenant, meter: key, revision, partition, backfilled: true },
        fromOffset: (liveFrom[at]?.[partition] ?? 0) as Offset,
      }),
    )
    await store.putActivations(activations)
    const windows = createWindowFold({ partition, chunkRecords: CHUNK_RECORDS, chunkBase: 0 })
    const state = createFoldState(windows, 0 as Offset, 0 as Offset, 0 as Offset)
    const plans = createEventPlans()
    plans.count(meters.map((meter, at) => ({ meter, fromOffset: activations[at]?.fromOffset ?? (0 as Offset), toOffset: LIVE_TO_OFFSET })))
    const customers = new Map<CustomerKey, FoldCustomer>(CUSTOMERS.map((key) => [key, createFoldCustomer(null)]))
    for (let offset = 0; offset < RECORDS; offset++) {
      enterRecord(windows, offset as Offset)
      for (const event of events.filter((each) => each.partition === partition && each.offset === offset)) {
        countEvent(state, event, plans, customers.get(event.customer) ?? createFoldCustomer(null))
      }
      if (flushedAfter.includes(offset)) await store.write({ events: [], windows: takeRows(windows), positions: [] })
    }
    closeChunk(windows)
    await store.write({ events: [], windows: takeRows(windows), positions: [] })
    const unfilled = meters.flatMap((meter, at) => {
      const activation = activations[at]
      return activation === undefined || activation.fromOffset === 0 ? [] : [{ meter, activation }]
    })
    if (unfilled.length > 0) await backfill(store, { partition, unfilled }, () => true, createWindowMemory(Number.POSITIVE_INFINITY))
  }
}

/** Counts from the events alone, by group, without any of the product's counting code. */
function recount(
  events: readonly StoredEvent[],
  aggregation: Aggregation,
  { customer, period }: CustomerPeriod,
  { cutOffs, filter, groupBy }: Pick<typeof question extends fc.Arbitrary<infer V> ? V : never, 'cutOffs' | 'filter' | 'groupBy'>,
): Record<string, unknown> {
  const groups: Record<string, { events: number; values: bigint[]; latest: bigint; latestAt: readonly number[] }> = {}
  for (const event of events) {
    const { model, n } = JSON.parse(event.data) as { model: string; n?: number }
    if (event.customer !== customer || event.occurredAtMs < period.startMs || event.occurredAtMs >= period.endMs) continue
    if (cutOffs !== null && event.offset >= (cutOffs.get(event.partition) ?? 0)) continue
    if (filter.model !== undefined && !filter.model.includes(model)) continue
    if (n === undefined && aggregation !== 'count') continue
    const name = groupBy.length === 0 ? '' : model
    const group = groups[name] ?? { events: 0, values: [], latest: 0n, latestAt: [] }
    groups[name] = group
    const value = aggregation === 'count' ? NANO : BigInt(n ?? 0) * NANO
    group.events++
    group.values.push(value)
    const at = [event.occurredAtMs, event.offset, event.index]
    if (group.latestAt.length === 0 || isAfter(at, group.latestAt)) Object.assign(group, { latest: value, latestAt: at })
  }
  return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, [group.events, answerOf(aggregation, group)]]))
}

function isAfter(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index])
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0)
}

function answerOf(aggregation: Aggregation, { events, values, latest }: { events: number; values: bigint[]; latest: bigint }): bigint {
  const sum = values.reduce((total, value) => total + value, 0n)
  const sorted = values.toSorted((a, b) => (a < b ? -1 : 1))
  switch (aggregation) {
    case 'min':
      return sorted[0] ?? 0n
    case 'max':
      return sorted.at(-1) ?? 0n
    case 'latest':
      return latest
    case 'unique':
      return BigInt(new Set(values).size) * NANO
    case 'avg':
      return halfUp(sum, BigInt(events))
    default:
      return sum
  }
}

function halfUp(dividend: bigint, divisor: bigint): bigint {
  const doubled = 2n * (dividend < 0n ? -dividend : dividend) + divisor
  const rounded = doubled / (2n * divisor)
  return dividend < 0n ? -rounded : rounded
}

test('whatever customers, periods, filter and cut-offs: the answer is the recount of the events below them', async () => {
  await fc.assert(
    fc.asyncProperty(life, fc.array(question, { minLength: 3, maxLength: 3 }), async (lived, questions) => {
      const tenant = `tenant-${++tenants}` as TenantKey
      const meters = metersOf(tenant)
      const events = eventsOf(tenant, lived.happenings)
      await count(events, meters, lived)
      for (const meter of meters) {
        for (const { together, cutOffs, filter, groupBy } of questions) {
          const options = { rowsMax: 1_000, ...(cutOffs === null ? {} : { cutOffs }) }
          const answers = await readPeriodUsage(store, { meter, groupBy, filter }, together, options)
          const found = answers.map((rows) =>
            Object.fromEntries(
              rows.map((row) => [groupBy.length === 0 ? '' : row.dimensions.model, [row.events, aggregateValue(meter.aggregation, row)]]),
            ),
          )
          expect({ aggregation: meter.aggregation, found }).toEqual({
            aggregation: meter.aggregation,
            found: together.map((each) => recount(events, meter.aggregation, each, { cutOffs, filter, groupBy })),
          })
        }
      }
    }),
    { numRuns: inLongRun(100, 12) },
  )
}, 300_000)

test('a page with more rows than fit into a query is read in halves', async () => {
  const tenant = `tenant-${++tenants}` as TenantKey
  const [sum] = metersOf(tenant)
  const events = eventsOf(
    tenant,
    CUSTOMERS.flatMap((customer) => ['x', 'y'].map((model) => ({ customer, model, offset: 0, atMs: NOON as InstantMs, n: 1 }))),
  )
  if (sum === undefined) throw new Error('sum is the first of the aggregations')
  await count(events, [sum], { happenings: [], flushedAfter: [], liveFrom: [] })
  const period = { startMs: NOON as InstantMs, endMs: (NOON + 60_000) as InstantMs }
  const together = CUSTOMERS.map((customer) => ({ customer, period }))
  const shape = { meter: sum, groupBy: ['model'], filter: {} }
  expect(await readPeriodUsage(store, shape, together, { rowsMax: 2 })).toMatchObject(together.map(() => [{ sum: NANO }, { sum: NANO }]))
  await expect(readPeriodUsage(store, shape, together, { rowsMax: 1 })).rejects.toMatchObject({
    refusal: { code: 'too_many_rows', fields: { rowsMax: 1 } },
  })
})
