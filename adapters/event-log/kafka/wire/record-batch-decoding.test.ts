import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Offset, Partition } from '../../../../domain/identity.ts'
import { crc32c } from './crc32c.ts'
import { encodeRecordBatch, type KafkaRecord } from './record-batch.ts'
import { decodeRecordBatches } from './record-batch-decoding.ts'
import { bestCompression } from './record-compression.ts'

const SEQUENCE = { producerId: 4_000_000_000_123n, producerEpoch: 3, firstSequence: 7 }
const PARTITION = 2 as Partition
const records = fc.array(
  fc.record({ value: fc.uint8Array({ maxLength: 600 }), timestampMs: fc.integer({ min: 1, max: 4_000_000_000_000 }) }),
  { minLength: 1, maxLength: 40 },
)

/** The batch as a broker keeps it: with the offset that the broker gave it, which the checksum does not cover. */
function batchAt(baseOffset: number, given: readonly KafkaRecord[]): Buffer {
  const batch = encodeRecordBatch(given, SEQUENCE, bestCompression())
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

function decode(batches: Buffer, from = 0) {
  return decodeRecordBatches(batches, PARTITION, from as Offset)?.map((record) => ({ ...record, value: [...record.value] }))
}

describe('decodeRecordBatches', () => {
  test('gives every record from the offset asked for on, with its time and each of its bytes', () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 4 }), fc.nat({ max: 80 }), (batches, skipped) => {
        const all = batches.flat().map(({ value, timestampMs }, index) => ({
          partition: PARTITION,
          offset: 1_000 + index,
          receivedAtMs: timestampMs,
          value: [...value],
        }))
        let baseOffset = 1_000
        const answer = Buffer.concat(
          batches.map((given) => {
            baseOffset += given.length
            return batchAt(baseOffset - given.length, given)
          }),
        )
        expect(decode(answer, 1_000 + skipped)).toEqual(all.slice(skipped))
      }),
      { numRuns: 40 },
    )
  })

  test('leaves out a last batch that is cut off, wherever that is', () => {
    const whole = batchAt(0, [{ value: Buffer.from('whole'), timestampMs: 5 }])
    const next = batchAt(1, [{ value: Buffer.alloc(400, 'cut'), timestampMs: 6 }])
    for (let bytes = 0; bytes < next.length; bytes += 1) {
      expect(decode(Buffer.concat([whole, next.subarray(0, bytes)]))?.map(({ offset }) => offset)).toEqual([0])
    }
  })

  test('gives nothing of a batch of which a bit was turned', () => {
    const batch = batchAt(0, [{ value: Buffer.alloc(400, 'abc'), timestampMs: 5 }])
    fc.assert(
      fc.property(fc.integer({ min: 17, max: batch.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const damaged = Buffer.from(batch)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
        expect(decode(damaged)).toBeUndefined()
      }),
    )
  })

  test('reads a megabyte in one batch', () => {
    const value = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * at) % 251))
    const [record, ...more] = decodeRecordBatches(batchAt(9, [{ value, timestampMs: 5 }]), PARTITION, 0 as Offset) ?? []
    expect(value.equals(record?.value ?? Buffer.alloc(0))).toBe(true)
    expect(more).toEqual([])
  })

  test.each([
    { codec: 'none', compression: 0 },
    { codec: 'gzip', compression: 1 },
  ])('reads what another implementation wrote: keys, headers, $codec', async ({ compression }) => {
    const batch = await encodedByKafkaJs(compression, [
      { timestamp: 1_700_000_000_000, key: 'a key', value: Buffer.alloc(500, 'x'), headers: { why: 'because' } },
      { timestamp: 1_700_000_000_900, key: null, value: null, headers: {} },
      { timestamp: 1_699_999_999_000, key: null, value: Buffer.from('earlier'), headers: {} },
    ])
    expect(decode(batch)).toEqual([
      { partition: PARTITION, offset: 0, receivedAtMs: 1_700_000_000_000, value: [...Buffer.alloc(500, 'x')] },
      { partition: PARTITION, offset: 2, receivedAtMs: 1_699_999_999_000, value: [...Buffer.from('earlier')] },
    ])
  })

  test.each([
    { what: 'snappy', compression: 2 },
    { what: 'lz4', compression: 3 },
  ])('says which compression it cannot read: $what', async ({ compression }) => {
    const batch = batchAt(0, [{ value: Buffer.from('short, so not compressed'), timestampMs: 5 }])
    batch.writeInt16BE(compression, 21)
    batch.writeUInt32BE(crc32c(batch, 21), 17)
    expect(() => decode(batch)).toThrow(`codec ${compression}`)
  })
})

type Encoded = { readonly buffer: Buffer }
const require = createRequire(import.meta.url)
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch(batch: object): Promise<Encoded> }
const Record = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Encoded

async function encodedByKafkaJs(
  compression: number,
  given: readonly { timestamp: number; key: string | null; value: Buffer | null; headers: object }[],
): Promise<Buffer> {
  const firstTimestamp = given[0]?.timestamp ?? 0
  const { buffer } = await RecordBatch({
    compression,
    firstTimestamp,
    maxTimestamp: Math.max(...given.map(({ timestamp }) => timestamp)),
    lastOffsetDelta: given.length - 1,
    records: given.map((record, offsetDelta) => Record({ ...record, offsetDelta, timestampDelta: record.timestamp - firstTimestamp })),
  })
  return buffer
}
