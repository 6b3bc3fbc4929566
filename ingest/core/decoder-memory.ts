import { INGEST_BOUNDS } from '../ingest-bounds.ts'

/** Bytes that a decoder takes for a body with this beginning: the window that the body asks for, and the decoder's tables. */
export function decoderMemory(coding: 'gzip' | 'br' | 'zstd', head: Uint8Array): number {
  switch (coding) {
    case 'gzip':
      return TABLES_BYTES
    case 'br':
      return brotliWindow(head[0] ?? 0) + TABLES_BYTES
    case 'zstd':
      return Math.min(zstdWindow(head), ZSTD_WINDOW_BYTES_MAX) + TABLES_BYTES
  }
}

/** A zstd frame may ask its reader for a window of 2 GiB; this is what `zstd -19` needs, and more is refused. */
const ZSTD_WINDOW_BYTES_MAX = INGEST_BOUNDS.zstdWindow.most
export const ZSTD_WINDOW_LOG_MAX = Math.log2(ZSTD_WINDOW_BYTES_MAX)
/** Tables, state and a chunk of output, rounded up: it bounds the number of decoders too. */
const TABLES_BYTES = 1024 * 1024
/** The largest decoder there is: a quarter of the budget of all, so that who holds none can have it. */
export const DECODER_MEMORY_MAX = 2 ** 24 + TABLES_BYTES

/** RFC 7932, section 9.1: the window is 2 to the power of WBITS, less 16 bytes, and WBITS is 10 to 24. */
function brotliWindow(first: number): number {
  if ((first & 1) === 0) return 2 ** 16
  const high = (first >> 1) & 7
  if (high !== 0) return 2 ** (17 + high)
  const low = (first >> 4) & 7
  return 2 ** (low === 0 ? 17 : 8 + low)
}

/** RFC 8878, section 3.1.1: the window descriptor, or the size of the content where that is the window. */
function zstdWindow(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (head.length < 18 || view.getUint32(0, true) !== ZSTD_MAGIC) return 0
  const descriptor = view.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  if (!isSingleSegment) {
    const window = view.getUint8(5)
    const base = 2 ** (10 + (window >> 3))
    return base + (base / 8) * (window & 7)
  }
  const at = 5 + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0)
  switch (descriptor >> 6) {
    case 0:
      return view.getUint8(at)
    case 1:
      return view.getUint16(at, true) + 256
    case 2:
      return view.getUint32(at, true)
    default:
      return Number(view.getBigUint64(at, true))
  }
}

const ZSTD_MAGIC = 0xfd2fb528
const DICTIONARY_ID_BYTES: readonly number[] = [0, 1, 2, 4]
