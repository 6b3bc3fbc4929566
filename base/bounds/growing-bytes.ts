/**
 * Collects bytes that arrive in pieces by copying them into one buffer. Keeping the pieces would cost some hundred bytes for
 * each, and a sender may cut a body into pieces of one byte.
 */
export type GrowingBytes = {
  length(): number
  put(bytes: Uint8Array): void
  /** Drops the bytes after this length. */
  truncate(length: number): void
  /** Takes all bytes; nothing is left. */
  takeAll(): Buffer
}

export function createGrowingBytes(bytesExpected: number): GrowingBytes {
  let buffer: Buffer = EMPTY
  let length = 0
  /** The only piece so far, not copied yet, as most bodies come in one piece. */
  let only: Uint8Array | null = null

  function append(bytes: Uint8Array): void {
    const needed = length + bytes.length
    if (needed > buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, buffer.length * 2, bytesExpected))
      buffer.copy(grown, 0, 0, length)
      buffer = grown
    }
    buffer.set(bytes, length)
    length = needed
  }

  function copyOnly(): void {
    if (only === null) return
    length = 0
    append(only)
    only = null
  }

  return {
    length: () => length,
    put(bytes) {
      if (bytes.length === 0) return
      if (length === 0 && only === null) {
        only = bytes
        length = bytes.length
        return
      }
      copyOnly()
      append(bytes)
    },
    truncate(to) {
      copyOnly()
      length = Math.min(length, to)
    },
    takeAll() {
      const found = only === null ? buffer.subarray(0, length) : Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      // A buffer that is kept for long should not be much larger than its content.
      const all = only === null && length < buffer.length * KEPT_SHARE_MIN ? Buffer.from(found) : found
      buffer = EMPTY
      length = 0
      only = null
      return all
    },
  }
}

const EMPTY = Buffer.alloc(0)
const KEPT_SHARE_MIN = 0.75
