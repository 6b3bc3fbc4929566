import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import { encodeEvents, encodeWindows } from '../../adapters/usage-store/native/native-rows.ts'
import type { StoredEvent, UsageStore, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import { createDedupeFilter } from '../../aggregator/dedupe/dedupe-filter.ts'
import { createDeduplicator } from '../../aggregator/dedupe/deduplicator.ts'
import { createFoldCustomer, createFoldState, foldRecord } from '../../aggregator/fold/record-fold.ts'
import { createWindowFold, takeRows } from '../../aggregator/fold/window-fold.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { eventHash } from '../../domain/metering/event-hash.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { parseUsageEvent } from '../../ingest/usage-event-parsing.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { decodeUsageEventBatch, encodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import { cpuMicrosPerItem } from '../cpu-meter.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { createFoldCustomers, createFoldPlans, parseContext, requestText, TENANT, usageEvents } from '../stage-fixture.ts'
import { createWorkloadEvents } from '../usage-workload.ts'

export const stagesPart: BenchPart = {
  name: 'stages',
  about: 'CPU per event of each stage, its real functions called one by one in one process',
  run: measureStages,
}

const PARTITIONS = 4
const REQUEST_EVENTS = 1_000
/** One request's share of one of four partitions. */
const RECORD_EVENTS = 250

async function measureStages(context: BenchContext): Promise<readonly Figure[]> {
  const events = context.isQuick ? 50_000 : 200_000
  const rounds = context.isQuick ? 3 : 7
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-bench-'))
  const registry = new Registry()
  const log = pino({ level: 'silent' })
  const store = await openChdbUsageStore({ clock: systemClock, path: join(directory, 'usage-store'), chunkRecords: 1_024, log, registry })
  try {
    await store.migrate()
    const figures: Figure[] = []
    const measure = async (what: string, work: (round: number) => void | Promise<void>, note?: string) => {
      context.progress(what)
      const { micros, leastMicros } = await cpuMicrosPerItem(events, rounds, work)
      figures.push({
        what,
        value: micros,
        unit: 'µs/event',
        note: `least ${leastMicros.toFixed(2)}${note === undefined ? '' : `; ${note}`}`,
      })
    }
    await measureIngest(measure, events)
    await measureLog(measure, events, join(directory, 'event-log'), registry)
    await measureFold(measure, events, store)
    await measureEngine(measure, events, store)
    const isEncodedTwice = ({ what }: Figure) => what.endsWith('rows')
    const sum = figures.reduce((total, figure) => (isEncodedTwice(figure) ? total : total + figure.value), 0)
    figures.push({ what: 'sum', value: sum, unit: 'µs/event', note: 'without HTTP; rows encoded once' })
    return figures
  } finally {
    await store.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

type Measure = (what: string, work: (round: number) => void | Promise<void>, note?: string) => Promise<void>

async function measureIngest(measure: Measure, events: number): Promise<void> {
  const nowMs = Date.now()
  const workload = createWorkloadEvents({ customers: 5_000, poolEvents: events, repeatShare: 0.01 })
  const bodies: Buffer[] = []
  for (let from = 0; from < events; from += REQUEST_EVENTS)
    bodies.push(Buffer.from(requestText(workload.slice(from, from + REQUEST_EVENTS), from, 1, nowMs)))
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
  await measure(
    'parse JSON',
    () => {
      for (const body of bodies) JSON.parse(body.toString('utf8'))
    },
    `${Math.round(bytes / events)} bytes an event`,
  )
  const parsed = bodies.map((body) => JSON.parse(body.toString('utf8')) as unknown[])
  const context = parseContext(nowMs + events)
  await measure('validate', () => {
    for (const values of parsed) for (const value of values) parseUsageEvent(value, context)
  })
  const requests = chunked(usageEvents(events, 1, nowMs), REQUEST_EVENTS)
  await measure('partition', () => {
    for (const request of requests) for (const { customer } of request) partitionOf(TENANT, customer, PARTITIONS)
  })
  const records = chunked(usageEvents(events, 1, nowMs), RECORD_EVENTS)
  await measure('encode record', () => {
    for (const record of records) encodeUsageEventBatch({ tenant: TENANT, events: record })
  })
}

async function measureLog(measure: Measure, events: number, path: string, registry: Registry): Promise<void> {
  const log = pino({ level: 'silent' })
  const eventLog = await createLmdbEventLog({ clock: systemClock, path, partitions: PARTITIONS, log, registry })
  const values = encodedRecords(events)
  await measure(
    'log append',
    async () => {
      // As many at once as 8 connections with a request of 1,000 events each would have under way.
      for (const group of chunked(values, 32)) {
        await Promise.all(group.map((value, at) => eventLog.append((at % PARTITIONS) as Partition, value, Date.now() as InstantMs)))
      }
    },
    'fsynced',
  )
  await measure('log read', async (round) => {
    const perPartition = values.length / PARTITIONS
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const from = (round * perPartition) as Offset
      for await (const records of eventLog.read(partition as Partition, from, (from + perPartition) as Offset)) void records.length
    }
  })
  await measure('decode record', () => {
    for (const value of values) decodeUsageEventBatch(value)
  })
  await eventLog.stop()
}

async function measureFold(measure: Measure, events: number, store: UsageStore): Promise<void> {
  const nowMs = Date.now()
  const customerOf = createFoldCustomers()
  const deduplicator = createDeduplicator(store, createDedupeFilter((nowMs - 40 * 86_400_000) as InstantMs))
  const receivedAtMs = nowMs as InstantMs
  const records = chunked(decodedEvents(events, 1, nowMs), RECORD_EVENTS)
  // The fold makes these events, and their cost is counted there.
  const stored = records.map((record) => storedEvents(record, receivedAtMs))
  let offset = 0
  await measure('hash and dedupe', (round) => {
    for (const record of stored) {
      const hashes = new Float64Array(record.length)
      let place = 0
      for (const event of record) {
        // The round in the seed gives every round new ids without making new events.
        const { seed } = customerOf(event.customer)
        hashes[place++] = eventHash({ high: seed.high ^ (round * 0x9e3779b1), low: seed.low ^ round }, event.source, event.id)
      }
      deduplicator.undecided(TENANT, record, hashes, receivedAtMs)
      place = 0
      for (const event of record) {
        const hash = hashes[place++] ?? 0
        if (!deduplicator.isRecentRepeat(TENANT, event, hash, receivedAtMs)) deduplicator.remember(hash, event)
      }
      deduplicator.settle(++offset as Offset, receivedAtMs)
    }
  })
  const plans = createFoldPlans()
  const state = createFoldState(
    createWindowFold({ partition: 0 as Partition, chunkRecords: 1_024, chunkBase: 0 }),
    0 as Offset,
    0 as Offset,
    0 as Offset,
  )
  await measure(
    'fold',
    () => {
      for (const record of records) {
        const ofEvents = record.map((event) => customerOf(event.customer))
        foldRecord(
          state,
          { tenant: TENANT, events: record, offset: state.next, receivedAtMs },
          {
            ...plans,
            customerAt: (index) => ofEvents[index] ?? createFoldCustomer(null),
            isRepeat: () => false,
            accepted: () => undefined,
            sets: null,
          },
        )
        if (state.events.length < 50_000) continue
        state.events = []
        takeRows(state.windows)
      }
    },
    'two meters, one counter, no dedupe',
  )
}

function storedEvents(record: readonly UsageEvent[], receivedAtMs: InstantMs): StoredEvent[] {
  return record.map((event, index) => ({ ...event, tenant: TENANT, receivedAtMs, partition: 0 as Partition, offset: 0 as Offset, index }))
}

async function measureEngine(measure: Measure, events: number, store: UsageStore): Promise<void> {
  const flushes = chunked(foldedRows(events).events, 50_000)
  const windows = chunked(foldedRows(events).windows, Math.ceil(foldedRows(events).windows.length / flushes.length))
  const windowRows = windows.reduce((sum, rows) => sum + rows.length, 0)
  await measure('encode event rows', () => {
    for (const rows of flushes) encodeEvents(rows)
  })
  await measure(
    'encode window rows',
    () => {
      for (const rows of windows) encodeWindows(rows)
    },
    `${(windowRows / events).toFixed(2)} rows an event`,
  )
  await measure(
    'encode and write to the engine',
    async (round) => {
      for (const [index, rows] of flushes.entries()) {
        const placed = rows.map((row) => ({ ...row, offset: (row.offset + round * 1_000_000) as Offset }))
        await store.write({ events: placed, windows: windows[index] ?? [], positions: [] })
      }
    },
    'merges in the background included',
  )
}

function foldedRows(events: number): { readonly events: readonly StoredEvent[]; readonly windows: readonly WindowRow[] } {
  const customerOf = createFoldCustomers()
  const plans = createFoldPlans()
  const fold = createWindowFold({ partition: 0 as Partition, chunkRecords: 1_024, chunkBase: 0 })
  const state = createFoldState(fold, 0 as Offset, 0 as Offset, 0 as Offset)
  const receivedAtMs = Date.now() as InstantMs
  for (const record of chunked(usageEvents(events, 1, receivedAtMs), RECORD_EVENTS)) {
    foldRecord(
      state,
      { tenant: TENANT, events: record, offset: state.next, receivedAtMs },
      {
        ...plans,
        customerAt: (index) => customerOf((record[index] as UsageEvent).customer),
        isRepeat: () => false,
        accepted: () => undefined,
        sets: null,
      },
    )
  }
  return { events: state.events, windows: takeRows(fold) }
}

function encodedRecords(events: number): Uint8Array[] {
  return chunked(usageEvents(events, 1, Date.now()), RECORD_EVENTS).map((record) =>
    encodeUsageEventBatch({ tenant: TENANT, events: record }),
  )
}

/** Events as the aggregator gets them: decoded from the log's bytes. */
function decodedEvents(events: number, round: number, nowMs: number): UsageEvent[] {
  return chunked(usageEvents(events, round, nowMs), RECORD_EVENTS).flatMap(
    (record) => decodeUsageEventBatch(encodeUsageEventBatch({ tenant: TENANT, events: record })).events,
  )
}

function chunked<Item>(items: readonly Item[], size: number): Item[][] {
  const chunks: Item[][] = []
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size))
  return chunks
}
