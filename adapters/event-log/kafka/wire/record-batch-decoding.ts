import type { InstantMs, Offset, Partition } from '../../../../domain/identity.ts'
import type { LogRecord } from '../../event-log.ts'
import { crc32c } from './crc32c.ts'
import { BATCH } from './record-batch.ts'
import { decompressRecords } from './record-compression.ts'

/**
 * Records from offset `from` on, out of the record batches that a broker answered: the first batch may begin before `from`, and
 * the last one may be cut off. Values are views of `batches`, or of the decompressed bytes. Null when a batch is damaged; throws
 * for a format or compression that no producer of ours writes.
 */
export function decodeRecordBatches(batches: Buffer, partition: Partition, from: Offset): readonly LogRecord[] | null {
  const records: LogRecord[] = []
  let at = 0
  while (at + BATCH.headerBytes <= batches.length) {
    const end = at + BATCH.lengthEndsAt + batches.readInt32BE(at + BATCH.lengthAt)
    if (end > batches.length) break
    const batch = batches.subarray(at, end)
    at = end
    const format = batch.readInt8(BATCH.formatAt)
    if (format !== BATCH.format)
      throw new Error(`a record batch has format ${format}, and only format ${BATCH.format} is read (Kafka 0.11 and later)`)
    if (batch.readUInt32BE(BATCH.checksumAt) !== crc32c(batch, BATCH.checksumEndsAt)) return null
    decodeInto(records, batch, partition, from)
  }
  return records
}

function decodeInto(records: LogRecord[], batch: Buffer, partition: Partition, from: Offset): void {
  const attributes = batch.readInt16BE(BATCH.attributesAt)
  // Control batches mark transactions and hold no records of ours.
  if ((attributes & CONTROL) !== 0) return
  const baseOffset = Number(batch.readBigInt64BE(0))
  const baseTimestampMs = Number(batch.readBigInt64BE(BATCH.baseTimestampAt))
  const appendedAtMs = (attributes & LOG_APPEND_TIME) === 0 ? null : Number(batch.readBigInt64BE(BATCH.maxTimestampAt))
  const count = batch.readInt32BE(BATCH.countAt)
  const body = decompressRecords(attributes & COMPRESSION, batch.subarray(BATCH.headerBytes))
  let at = 0

  /** Zigzag; arithmetic, not shifts, because time differences exceed 32 bits. */
  function varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = body[at] ?? 0
      at += 1
      value += (byte & 127) * scale
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  for (let index = 0; index < count; index++) {
    const length = varint()
    const end = at + length
    at += ATTRIBUTES_BYTES
    const receivedAtMs = baseTimestampMs + varint()
    const offset = baseOffset + varint()
    const keyLength = varint()
    at += Math.max(0, keyLength)
    const valueLength = varint()
    if (offset >= from && valueLength >= 0) {
      const value = body.subarray(at, at + valueLength)
      records.push({ partition, offset: offset as Offset, receivedAtMs: (appendedAtMs ?? receivedAtMs) as InstantMs, value })
    }
    at = end
  }
}

const COMPRESSION = 0b111
const LOG_APPEND_TIME = 0b1000
const CONTROL = 0b100000
const ATTRIBUTES_BYTES = 1
