export type KafkaRecord = { readonly value: Uint8Array; readonly timestampMs: number }

/** Names the producer and the place of the batch's first record in its sequence, so that the broker knows a repeat. */
export type KafkaSequence = { readonly producerId: bigint; readonly producerEpoch: number; readonly firstSequence: number }

export type RecordCompression = { readonly type: number; compress(records: Buffer): Uint8Array }

/**
 * A record batch of message format 2 (https://kafka.apache.org/documentation/#recordbatch), in one buffer that is written
 * once. kafkajs copies every record several times while it encodes, which cost three times the rest of an append.
 */
export function encodeRecordBatch(records: readonly KafkaRecord[], sequence: KafkaSequence, compression: RecordCompression): Buffer {
  const baseTimestampMs = records[0]?.timestampMs ?? 0
  const maxTimestampMs = records.reduce((max, { timestampMs }) => Math.max(max, timestampMs), baseTimestampMs)
  const plain = encodeRecords(records, baseTimestampMs)
  // A handful of bytes only grows.
  const body = plain.length < COMPRESSED_BYTES_MIN ? plain : compression.compress(plain)
  const isCompressed = body !== plain
  const batch = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(HEADER_BYTES - LENGTH_ENDS_AT + body.length, 8)
  batch.writeInt32BE(NO_LEADER_EPOCH, 12)
  batch.writeInt8(FORMAT, 16)
  batch.writeInt16BE(isCompressed ? compression.type : 0, CHECKSUM_ENDS_AT)
  batch.writeInt32BE(records.length - 1, 23)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), 27)
  batch.writeBigInt64BE(BigInt(maxTimestampMs), 35)
  batch.writeBigInt64BE(sequence.producerId, 43)
  batch.writeInt16BE(sequence.producerEpoch, 51)
  batch.writeInt32BE(sequence.firstSequence, 53)
  batch.writeInt32BE(records.length, 57)
  batch.set(body, HEADER_BYTES)
  batch.writeUInt32BE(crc32c(batch, CHECKSUM_ENDS_AT), 17)
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

/** Bytes of a record after the length that stands before it. */
function recordBytes({ value, timestampMs }: KafkaRecord, index: number, baseTimestampMs: number): number {
  const lengths = varintBytes(timestampMs - baseTimestampMs) + varintBytes(index) + varintBytes(NO_KEY) + varintBytes(value.length)
  return 1 + lengths + value.length + varintBytes(NO_HEADERS)
}

/** Zigzag: small numbers of either sign are short. Arithmetic, not shifts, because differences of times exceed 32 bits. */
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

/** Castagnoli's CRC of the bytes from `start` on; Node has only the other CRC-32. */
export function crc32c(bytes: Uint8Array, start = 0): number {
  let crc = ~0
  for (let at = start; at < bytes.length; at += 1) crc = (CRC_TABLE[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

const HEADER_BYTES = 61
const LENGTH_ENDS_AT = 12
const CHECKSUM_ENDS_AT = 21
const FORMAT = 2
const NO_LEADER_EPOCH = -1
const NO_KEY = -1
const NO_HEADERS = 0
const COMPRESSED_BYTES_MIN = 256
