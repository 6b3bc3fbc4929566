import { crc32c } from './crc32c.ts'

export type KafkaRecord = { readonly value: Uint8Array; readonly timestampMs: number }

/** The producer and the place of the batch's first record in its sequence, so that the broker recognises a repeat. */
export type KafkaSequence = { readonly producerId: bigint; readonly producerEpoch: number; readonly firstSequence: number }

export type RecordCompression = { readonly type: number; compress(records: Buffer): Uint8Array }

/**
 * A record batch of message format 2 (https://kafka.apache.org/documentation/#recordbatch), in one buffer that is written once.
 * kafkajs copies every record several times while it encodes, which cost three times the rest of an append.
 */
export function encodeRecordBatch(records: readonly KafkaRecord[], sequence: KafkaSequence, compression: RecordCompression): Buffer {
  const baseTimestampMs = records[0]?.timestampMs ?? 0
  const maxTimestampMs = records.reduce((max, { timestampMs }) => Math.max(max, timestampMs), baseTimestampMs)
  const plain = encodeRecords(records, baseTimestampMs)
  // A few bytes only grow when compressed.
  const body = plain.length < COMPRESSED_BYTES_MIN ? plain : compression.compress(plain)
  const isCompressed = body !== plain
  const batch = Buffer.allocUnsafe(BATCH.headerBytes + body.length)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(BATCH.headerBytes - BATCH.lengthEndsAt + body.length, BATCH.lengthAt)
  batch.writeInt32BE(NO_LEADER_EPOCH, BATCH.lengthEndsAt)
  batch.writeInt8(BATCH.format, BATCH.formatAt)
  batch.writeInt16BE(isCompressed ? compression.type : 0, BATCH.attributesAt)
  batch.writeInt32BE(records.length - 1, BATCH.lastOffsetDeltaAt)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), BATCH.baseTimestampAt)
  batch.writeBigInt64BE(BigInt(maxTimestampMs), BATCH.maxTimestampAt)
  batch.writeBigInt64BE(sequence.producerId, BATCH.producerIdAt)
  batch.writeInt16BE(sequence.producerEpoch, BATCH.producerEpochAt)
  batch.writeInt32BE(sequence.firstSequence, BATCH.firstSequenceAt)
  batch.writeInt32BE(records.length, BATCH.countAt)
  batch.set(body, BATCH.headerBytes)
  batch.writeUInt32BE(crc32c(batch, BATCH.checksumEndsAt), BATCH.checksumAt)
  return batch
}

function encodeRecords(records: readonly KafkaRecord[], baseTimestampMs: number): Buffer {
  const sizes = records.map((record, index) => recordBytes(record, index, baseTimestampMs))
  const encoded = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + varintBytes(size) + size, 0))
  let at = 0
  for (const [index, { value, timestampMs }] of records.entries()) {
    at = writeVarint(encoded, at, sizes[index] ?? 0)
    at = encoded.writeInt8(0, at)
    at = writeVarint(encoded, at, timestampMs - baseTimestampMs)
    at = writeVarint(encoded, at, index)
    at = writeVarint(encoded, at, NO_KEY)
    at = writeVarint(encoded, at, value.length)
    encoded.set(value, at)
    at = writeVarint(encoded, at + value.length, NO_HEADERS)
  }
  return encoded
}

/** Bytes of a record after its length field. */
function recordBytes({ value, timestampMs }: KafkaRecord, index: number, baseTimestampMs: number): number {
  const lengths = varintBytes(timestampMs - baseTimestampMs) + varintBytes(index) + varintBytes(NO_KEY) + varintBytes(value.length)
  return 1 + lengths + value.length + varintBytes(NO_HEADERS)
}

/** Zigzag: small numbers of either sign are short. Arithmetic, not shifts, because time differences exceed 32 bits. */
function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}

function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  let end = at
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    buffer[end] = (rest % 128) | 128
    end += 1
  }
  buffer[end] = rest
  return end + 1
}

/** Positions of the fields of a batch; the base offset stands at 0. The checksum covers the bytes after it. */
export const BATCH = {
  lengthAt: 8,
  lengthEndsAt: 12,
  formatAt: 16,
  checksumAt: 17,
  checksumEndsAt: 21,
  attributesAt: 21,
  lastOffsetDeltaAt: 23,
  baseTimestampAt: 27,
  maxTimestampAt: 35,
  producerIdAt: 43,
  producerEpochAt: 51,
  firstSequenceAt: 53,
  countAt: 57,
  headerBytes: 61,
  format: 2,
} as const
const NO_LEADER_EPOCH = -1
const NO_KEY = -1
const NO_HEADERS = 0
const COMPRESSED_BYTES_MIN = 256
