/**
 * An immutable sorted set of keys of `KEY_BITS` bits, Golomb-Rice coded: the gaps between neighbours in buckets of about
 * 32 keys, with the place where each bucket begins. N keys take about KEY_BITS - log2(N) + 2.5 bits each. (Golomb 1966;
 * as a filter: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2009.)
 */
export type KeyRun = {
  readonly size: number
  readonly bytes: number
  has(key: number): boolean
  /** Ascending. */
  reader(): KeyReader
}
/** The next key, or -1 after the last. */
export type KeyReader = () => number

/** A key that was never put in is found with probability size / 2^KEY_BITS: 1 in 1,000 at 17 million keys. */
export const KEY_BITS = 34

/** `keys` ascend and differ; `sizeMax` bounds how many will come. */
export function encodeKeyRun(keys: KeyReader, sizeMax: number): KeyRun {
  const layout = layoutFor(sizeMax)
  const writer = createBitWriter(sizeMax * (layout.riceBits + 1) + Math.ceil(2 ** KEY_BITS / 2 ** layout.riceBits) + 64)
  const starts = new Uint32Array(layout.buckets + 1)
  let size = 0
  let bucket = 0
  let expected = 0
  for (let key = keys(); key >= 0; key = keys()) {
    const ofKey = Math.floor(key / layout.bucketSpan)
    while (bucket < ofKey) starts[++bucket] = writer.position()
    const offset = key - ofKey * layout.bucketSpan
    if (size === 0 || expected < ofKey * layout.bucketSpan) expected = ofKey * layout.bucketSpan
    writer.put(offset - (expected - ofKey * layout.bucketSpan), layout.riceBits)
    expected = key + 1
    size++
  }
  while (bucket < layout.buckets) starts[++bucket] = writer.position()
  return keyRunOf(size, writer.words(), starts, layout)
}

export function mergeKeyRuns(a: KeyRun, b: KeyRun): KeyRun {
  const nextA = a.reader()
  const nextB = b.reader()
  let keyA = nextA()
  let keyB = nextB()
  return encodeKeyRun(() => {
    if (keyA < 0 && keyB < 0) return -1
    if (keyB < 0 || (keyA >= 0 && keyA < keyB)) {
      const key = keyA
      keyA = nextA()
      return key
    }
    const key = keyB
    if (keyA === keyB) keyA = nextA()
    keyB = nextB()
    return key
  }, a.size + b.size)
}

type Layout = { readonly buckets: number; readonly bucketSpan: number; readonly riceBits: number }

/** At least 16 buckets, so that an offset in a bucket fits 31 bits and integer arithmetic does. */
function layoutFor(sizeMax: number): Layout {
  const bucketBits = Math.min(26, Math.max(KEY_BITS - 31, Math.round(Math.log2(Math.max(1, sizeMax) / 32))))
  const gap = 2 ** KEY_BITS / Math.max(1, sizeMax)
  const riceBits = Math.min(30, Math.max(0, Math.floor(Math.log2(gap * Math.LN2))))
  return { buckets: 2 ** bucketBits, bucketSpan: 2 ** (KEY_BITS - bucketBits), riceBits }
}

function keyRunOf(size: number, words: Uint32Array, starts: Uint32Array, layout: Layout): KeyRun {
  const { bucketSpan, riceBits, buckets } = layout
  return {
    size,
    bytes: words.byteLength + starts.byteLength,
    has(key) {
      const bucket = Math.floor(key / bucketSpan)
      const wanted = key - bucket * bucketSpan
      let position = starts[bucket] ?? 0
      const end = starts[bucket + 1] ?? 0
      let offset = -1
      while (position < end) {
        // Unary part: zeros up to a one, a word at a time.
        let quotient = 0
        let window = (words[position >>> 5] ?? 0) << (position & 31)
        while (window === 0) {
          const skipped = 32 - (position & 31)
          quotient += skipped
          position += skipped
          window = words[position >>> 5] ?? 0
        }
        const zeros = Math.clz32(window)
        quotient += zeros
        position += zeros + 1
        offset += 1 + ((quotient << riceBits) | bitsAt(words, position, riceBits))
        position += riceBits
        if (offset >= wanted) return offset === wanted
      }
      return false
    },
    reader: () => createKeyReader(words, starts, buckets, bucketSpan, riceBits),
  }
}

function createKeyReader(words: Uint32Array, starts: Uint32Array, buckets: number, bucketSpan: number, riceBits: number): KeyReader {
  let bucket = 0
  let position = 0
  let offset = -1
  return () => {
    while (bucket < buckets && position >= (starts[bucket + 1] ?? 0)) {
      bucket++
      offset = -1
    }
    if (bucket >= buckets) return -1
    let quotient = 0
    let window = (words[position >>> 5] ?? 0) << (position & 31)
    while (window === 0) {
      const skipped = 32 - (position & 31)
      quotient += skipped
      position += skipped
      window = words[position >>> 5] ?? 0
    }
    const zeros = Math.clz32(window)
    quotient += zeros
    position += zeros + 1
    offset += 1 + ((quotient << riceBits) | bitsAt(words, position, riceBits))
    position += riceBits
    return bucket * bucketSpan + offset
  }
}

function bitsAt(words: Uint32Array, position: number, count: number): number {
  if (count === 0) return 0
  const index = position >>> 5
  const from = position & 31
  const left = (words[index] ?? 0) << from
  if (from + count <= 32) return left >>> (32 - count)
  return (left | ((words[index + 1] ?? 0) >>> (32 - from))) >>> (32 - count)
}

/** Bits from the highest of each word down. */
function createBitWriter(bitsMax: number) {
  const words = new Uint32Array(Math.ceil(bitsMax / 32) + 2)
  let position = 0
  return {
    position: () => position,
    put(value: number, riceBits: number): void {
      position += value >>> riceBits
      const one = position >>> 5
      words[one] = (words[one] ?? 0) | (0x80000000 >>> (position & 31))
      position++
      if (riceBits === 0) return
      const rest = value & (2 ** riceBits - 1)
      const index = position >>> 5
      const room = 32 - (position & 31)
      if (riceBits <= room) words[index] = (words[index] ?? 0) | (rest << (room - riceBits))
      else {
        words[index] = (words[index] ?? 0) | (rest >>> (riceBits - room))
        words[index + 1] = rest << (32 - (riceBits - room))
      }
      position += riceBits
    },
    words: () => words.slice(0, Math.ceil(position / 32)),
  }
}
