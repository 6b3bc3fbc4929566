import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'
import { encodeRecordBatch, type KafkaRecord } from './record-batch.ts'
import { bestCompression } from './record-compression.ts'

type Decoded = {
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly lastOffsetDelta: number
  readonly records: readonly { readonly offset: string; readonly timestamp: string; readonly value: Buffer }[]
}
const require = createRequire(import.meta.url)
const Decoder = require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => object
const decodeBatch = require('kafkajs/src/protocol/recordBatch/v0/decoder') as (decoder: object) => Promise<Decoded>

const SEQUENCE = { producerId: 4_000_000_000_123n, producerEpoch: 3, firstSequence: 2_147_483_000 }
const records = fc.array(
  fc.record({ value: fc.uint8Array({ maxLength: 600 }), timestampMs: fc.integer({ min: 1, max: 4_000_000_000_000 }) }),
  { minLength: 1, maxLength: 40 },
)

test('what is encoded is decoded by another implementation of the format, compressed or not', async () => {
  const compression = bestCompression()
  await fc.assert(
    fc.asyncProperty(records, async (given: readonly KafkaRecord[]) => {
      const batch = encodeRecordBatch(given, SEQUENCE, compression)
      const decoded = await decodeBatch(new Decoder(batch))
      expect(decoded).toMatchObject({ producerId: '4000000000123', producerEpoch: 3, firstSequence: 2_147_483_000 })
      expect(decoded.lastOffsetDelta).toBe(given.length - 1)
      expect(decoded.records.map(({ offset, timestamp, value }) => [Number(offset), Number(timestamp), [...value]])).toEqual(
        given.map(({ value, timestampMs }, index) => [index, timestampMs, [...value]]),
      )
      expect(batch.readUInt32BE(17)).toBe(crc32c(batch, 21))
    }),
    { numRuns: 60 },
  )
})
