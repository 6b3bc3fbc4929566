import * as zlib from 'node:zlib'
import type { RecordCompression } from './record-batch.ts'

/**
 * zstd where Node has it (22.15 and later), at its fastest level, otherwise gzip. zstd compresses batches of usage events to a
 * sixth, for a quarter of what gzip costs. It runs on this thread: handing 100 KB to another thread costs more than compressing
 * it.
 */
export function bestCompression(): RecordCompression {
  if (typeof zlib.zstdCompressSync !== 'function') {
    return { type: GZIP, compress: (records) => zlib.gzipSync(records, { level: zlib.constants.Z_BEST_SPEED }) }
  }
  return { type: ZSTD, compress: zstdCompress }
}

function zstdCompress(records: Buffer): Uint8Array {
  return zlib.zstdCompressSync(records, {
    params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 },
    pledgedSrcSize: records.length,
    chunkSize: Math.max(CHUNK_BYTES_MIN, records.length >> 1),
  })
}

/** `type` is the number in record batches; throws for a compression that this process cannot undo. */
export function decompressRecords(type: number, records: Buffer): Buffer {
  if (type === NONE) return records
  if (type === GZIP) return zlib.gunzipSync(records, { chunkSize: chunkBytes(records.length * 8) })
  if (type === ZSTD && typeof zlib.zstdDecompressSync === 'function') {
    // One byte more than the content, or Node takes the chunk for full and allocates another.
    return zlib.zstdDecompressSync(records, { chunkSize: chunkBytes(1 + (zstdContentBytes(records) ?? records.length * 8)) })
  }
  throw new Error(`a record batch is compressed with codec ${type}, and this process reads gzip (1) and, on Node 22.15 and later, zstd (4)`)
}

/** The size that the frame states for its content (RFC 8878, section 3.1.1.1); null when it was written as a stream. */
function zstdContentBytes(frame: Buffer): number | null {
  const descriptor = frame[4] ?? 0
  const isSingleSegment = (descriptor & 0b10_0000) !== 0
  const at = ZSTD_HEAD_BYTES + (isSingleSegment ? 0 : 1) + (ZSTD_DICTIONARY_ID_BYTES[descriptor & 3] ?? 0)
  if (frame.length < at + 8) return null
  switch (descriptor >>> 6) {
    case 0:
      return isSingleSegment ? frame.readUInt8(at) : null
    case 1:
      return frame.readUInt16LE(at) + 256
    case 2:
      return frame.readUInt32LE(at)
    default:
      return Number(frame.readBigUInt64LE(at))
  }
}

function chunkBytes(wanted: number): number {
  return Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, wanted))
}

/** Numbers of the compressions in record batches. */
const NONE = 0
const GZIP = 1
const ZSTD = 4
const ZSTD_HEAD_BYTES = 5
const ZSTD_DICTIONARY_ID_BYTES = [0, 1, 2, 4]
/** Room for most results in one chunk; with the default of 16 KB Node makes many. */
const CHUNK_BYTES_MIN = 4 * 1024
const CHUNK_BYTES_MAX = 2 * 1024 * 1024
