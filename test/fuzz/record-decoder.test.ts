import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { LogRecord } from '../../adapters/event-log/event-log.ts'
import { createAggregatorMetrics } from '../../aggregator/aggregator-metrics.ts'
import { createRecordIntake } from '../../aggregator/intake/record-intake.ts'
import { createRetry } from '../../aggregator/retry.ts'
import { createPartitionCustomers } from '../../aggregator/tracking/partition-customers.ts'
import { Fault } from '../../base/fault.ts'
import type { InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { decodeUsageEventBatch, encodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import { inLongRun } from '../support/long-run.ts'
import { usageEventBatches } from '../support/usage-event-batches.ts'

const HEADER_BYTES = 10
/** Each is at least six lengths, a time and the places of three unions. */
const EVENT_BYTES_MIN = 8

const batches = usageEventBatches({ eventsMax: 12, textMax: 30 })
const records = batches.map((batch) => Buffer.from(encodeUsageEventBatch(batch)))
const header = Buffer.from(encodeUsageEventBatch({ tenant: '' as TenantKey, events: [] })).subarray(0, HEADER_BYTES)

/** Variable-length integers at the ends of their range: as lengths and counts they ask for everything, or for less than nothing. */
const extremes = fc.constantFrom(
  ...[
    'fffffffffffffffffe01',
    'ffffffffffffffffff01',
    'ffffffffff',
    'feffffff0f',
    'ffffffff0f',
    '01',
    '03',
    '80808080808080808080',
    'ff',
  ].map((hex) => Buffer.from(hex, 'hex')),
)

const damaged = fc.oneof(
  { arbitrary: fc.uint8Array({ maxLength: 400 }).map((noise) => Buffer.from(noise)), weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 400 }).map((noise) => Buffer.concat([header, noise])), weight: 3 },
  {
    arbitrary: fc.tuple(records, fc.array(fc.nat(), { minLength: 1, maxLength: 12 })).map(([record, bits]) => flipped(record, bits)),
    weight: 3,
  },
  { arbitrary: fc.tuple(records, records, fc.nat(), fc.nat()).map(spliced), weight: 3 },
  { arbitrary: fc.tuple(records, extremes, fc.nat()).map(([record, extreme, at]) => replaced(record, extreme, at)), weight: 4 },
)

function flipped(record: Buffer, bits: readonly number[]): Buffer {
  const changed = Buffer.from(record)
  for (const bit of bits) {
    const at = (bit >> 3) % changed.length
    changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7))
  }
  return changed
}

function spliced([first, second, end, start]: [Buffer, Buffer, number, number]): Buffer {
  return Buffer.concat([first.subarray(0, end % (first.length + 1)), second.subarray(start % (second.length + 1))])
}

function replaced(record: Buffer, extreme: Buffer, at: number): Buffer {
  const place = HEADER_BYTES + (at % (record.length - HEADER_BYTES))
  return Buffer.concat([record.subarray(0, place), extreme, record.subarray(place + 1)])
}

/** The batch, or null for the one fault that a decoder may end in. */
function decoded(bytes: Buffer): UsageEventBatch | null {
  try {
    return decodeUsageEventBatch(bytes)
  } catch (error) {
    if (error instanceof Fault && error.code === 'record_undecodable' && !error.canRetry) return null
    throw error
  }
}

test('whatever the bytes, a record is a batch no larger than they are, or a typed fault', () => {
  let batchesMade = 0
  fc.assert(
    fc.property(damaged, (bytes) => {
      const batch = decoded(bytes)
      if (batch === null) return
      batchesMade++
      expect(batch.events.length * EVENT_BYTES_MIN).toBeLessThanOrEqual(bytes.length)
      const characters = batch.events.reduce(
        (sum, { id, source, type, customer, subject, data, attributes }) =>
          sum + [id, source, type, customer, subject ?? '', data, attributes ?? ''].join('').length,
        batch.tenant.length,
      )
      expect(characters).toBeLessThanOrEqual(bytes.length)
      // A batch that was read can be written, and reads the same again: no half-made value gets out.
      expect(decoded(Buffer.from(encodeUsageEventBatch(batch)))).toEqual(batch)
    }),
    { numRuns: inLongRun(2_000, 400) },
  )
  // Otherwise the damage would be such that nothing beyond the header is ever read.
  expect(batchesMade).toBeGreaterThan(20)
})

test('a count beyond the bytes is refused before anything is made for it', () => {
  for (const count of ['fffffffffffffffffe01', 'feffffffffffffff7f', 'fcffffffffffff0f', 'fefffffffffff03f']) {
    const bytes = Buffer.concat([header, Buffer.from([2, 0x61]), Buffer.from(count, 'hex'), Buffer.alloc(1_000_000)])
    const heapBefore = process.memoryUsage().heapUsed
    expect(decoded(bytes)).toBeNull()
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(400 * bytes.length)
  }
})

test('records that cannot be decoded are set aside, each once, and those between them go on in their order', async () => {
  const mixed = fc.array(fc.oneof(records, damaged), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(mixed, async (values) => {
      const setAside: number[] = []
      const intake = intakeOf((record) => setAside.push(record.offset))
      const ready = await intake.decode(values.map(logRecord))
      const [good, bad] = [true, false].map((isGood) =>
        [...values.keys()].filter((at) => (decoded(values[at] as Buffer) !== null) === isGood),
      )
      expect(ready.map(({ record }) => record.offset)).toEqual(good)
      expect(setAside).toEqual(bad)
      for (const { record, batch, customers, hashes } of ready) {
        expect(batch).toEqual(decoded(values[record.offset] as Buffer))
        expect([customers.length, hashes.length]).toEqual([batch.events.length, batch.events.length])
      }
    }),
    { numRuns: inLongRun(100, 25) },
  )
})

const P0 = 0 as Partition

function logRecord(value: Buffer, offset: number): LogRecord {
  return { partition: P0, offset: offset as Offset, receivedAtMs: 0 as InstantMs, value }
}

/** An intake without stores, as decoding asks none. */
function intakeOf(onUndecodable: (record: LogRecord) => void) {
  const clock = { ...systemClock, now: () => 0 as InstantMs }
  const log = pino({ level: 'silent' })
  const asked = () => Promise.reject(new Error('decoding asks no store'))
  const customers = createPartitionCustomers(P0, { entitlementInputs: { read: asked }, counters: { tracked: asked, read: asked } })
  const deps = {
    decode: decodeUsageEventBatch,
    onUndecodable: async (record: LogRecord) => onUndecodable(record),
    clock,
    log,
    retry: createRetry({ clock, log, onFailure: () => undefined }),
    metrics: createAggregatorMetrics(new Registry()),
    signal: new AbortController().signal,
  }
  return createRecordIntake(deps, P0, customers)
}
