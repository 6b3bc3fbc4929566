/**
 * An immutable sorted set of keys of `KEY_BITS` bits, Elias-Fano coded (Elias 1974, Fano 1971): of each key the low bits
 * as they are, the high bits as a row of ones, one per key, with a zero after each high value. N keys take about
 * KEY_BITS - log2(N) + 3 bits each, and a look-up touches three places in memory.
 */
export type KeyRun = {
  readonly size: number
  readonly bytes: number
  has(key: number): boolean
  /** Ascending. */
  reader(): KeyReader
}

/** Fills the buffer from its start with the next keys; 0 when there are no more. */
export type KeyReader = (into: Float64Array) => number

/** A key that was never put in is found with probability size / 2^KEY_BITS: 1 in 1,000 at 17 million keys. */
export const KEY_BITS = 34

/** `keys` ascend and differ. */
export function encodeKeyRun(keys: Float64Array): KeyRun {
  const encoder = createEncoder(keys.length)
  encoder.push(keys, keys.length)
  return encoder.finish()
}

/** A merge done bit by bit, as one of millions of keys would hold the process up. */
export type KeyRunMerge = {
  /** Takes in about so many keys; the merged run once that was the last of them. A key in both is in it once. */
  step(keysMax: number): KeyRun | null
}

export function mergeKeyRuns(a: KeyRun, b: KeyRun): KeyRunMerge {
  const [left, right] = [createHead(a.reader()), createHead(b.reader())]
  const encoder = createEncoder(a.size + b.size)
  const buffer = new Float64Array(BUFFER_KEYS)
  return {
    step(keysMax) {
      for (let taken = 0; taken < keysMax; taken += BUFFER_KEYS) {
        const count = mergeInto(buffer, left, right)
        if (count === 0) return encoder.finish()
        encoder.push(buffer, count)
      }
      return null
    },
  }
}

const BUFFER_KEYS = 2048

type Head = { readonly reader: KeyReader; readonly keys: Float64Array; count: number; at: number }

function createHead(reader: KeyReader): Head {
  return { reader, keys: new Float64Array(BUFFER_KEYS), count: 0, at: 0 }
}

function mergeInto(into: Float64Array, left: Head, right: Head): number {
  let filled = 0
  while (filled < into.length) {
    if (left.at === left.count) refill(left)
    if (right.at === right.count) refill(right)
    if (left.count === 0 && right.count === 0) break
    if (left.count === 0 || right.count === 0) filled = copyRest(into, filled, left.count === 0 ? right : left)
    else filled = mergeHeads(into, filled, left, right)
  }
  return filled
}

/** Until one of the heads is used up. */
function mergeHeads(into: Float64Array, from: number, left: Head, right: Head): number {
  let filled = from
  let leftKey = left.keys[left.at] ?? 0
  let rightKey = right.keys[right.at] ?? 0
  while (filled < into.length) {
    const isLeft = leftKey <= rightKey
    const isRight = rightKey <= leftKey
    into[filled++] = isLeft ? leftKey : rightKey
    if (isLeft) leftKey = left.keys[++left.at] ?? 0
    if (isRight) rightKey = right.keys[++right.at] ?? 0
    if (left.at === left.count || right.at === right.count) break
  }
  return filled
}

function copyRest(into: Float64Array, from: number, head: Head): number {
  const count = Math.min(into.length - from, head.count - head.at)
  into.set(head.keys.subarray(head.at, head.at + count), from)
  head.at += count
  return from + count
}

function refill(head: Head): void {
  head.count = head.reader(head.keys)
  head.at = 0
}

/** High values per entry of the index: about as many keys, so the index takes about a bit per key. */
const BUCKET_HIGHS = 32
const LOW_BITS_MAX = 30

type Encoder = { push(keys: Float64Array, count: number): void; finish(): KeyRun }

function createEncoder(sizeMax: number): Encoder {
  const lowBits = Math.max(0, Math.min(LOW_BITS_MAX, Math.floor(KEY_BITS - Math.log2(Math.max(1, sizeMax)))))
  const lowSpan = 2 ** lowBits
  const highs = 2 ** (KEY_BITS - lowBits)
  const upper = new Uint32Array(Math.ceil((sizeMax + highs) / 32) + 1)
  const lower = new Uint32Array(Math.ceil((sizeMax * lowBits) / 32) + 1)
  const ranks = new Uint32Array(Math.ceil(highs / BUCKET_HIGHS))
  let size = 0
  let bucket = 0
  return {
    push(keys, count) {
      for (let index = 0; index < count; index++) {
        const key = keys[index] ?? 0
        const high = Math.floor(key / lowSpan)
        const bucketOfKey = high >>> 5
        while (bucket < bucketOfKey) ranks[++bucket] = size
        const one = size + high
        upper[one >>> 5] = (upper[one >>> 5] ?? 0) | (1 << (one & 31))
        putBits(lower, size * lowBits, lowBits, key - high * lowSpan)
        size++
      }
    },
    finish() {
      while (bucket < ranks.length - 1) ranks[++bucket] = size
      return keyRunOf(size, upper, lower.slice(0, Math.ceil((size * lowBits) / 32) + 1), ranks, lowBits)
    },
  }
}

function keyRunOf(size: number, upper: Uint32Array, lower: Uint32Array, ranks: Uint32Array, lowBits: number): KeyRun {
  const lowSpan = 2 ** lowBits
  return {
    size,
    bytes: upper.byteLength + lower.byteLength + ranks.byteLength,
    has(key) {
      const high = Math.floor(key / lowSpan)
      const low = key - high * lowSpan
      let rank = ranks[high >>> 5] ?? 0
      let position = rank + (high & ~(BUCKET_HIGHS - 1))
      let zerosToSkip = high & (BUCKET_HIGHS - 1)
      let word = (upper[position >>> 5] ?? 0) >>> (position & 31)
      let bitsLeft = 32 - (position & 31)
      while (zerosToSkip > 0) {
        const ones = onesIn(word)
        if (bitsLeft - ones < zerosToSkip) {
          zerosToSkip -= bitsLeft - ones
          rank += ones
          position += bitsLeft
          word = upper[position >>> 5] ?? 0
          bitsLeft = 32
          continue
        }
        const skipped = placeOfZero(word, zerosToSkip) + 1
        rank += skipped - zerosToSkip
        position += skipped
        zerosToSkip = 0
      }
      // Each one from here to the next zero is a key with this high value.
      while ((((upper[position >>> 5] ?? 0) >>> (position & 31)) & 1) === 1) {
        const held = bitsAt(lower, rank * lowBits, lowBits)
        if (held >= low) return held === low
        rank++
        position++
      }
      return false
    },
    reader: () => createKeyReader(size, upper, lower, lowBits),
  }
}

function createKeyReader(size: number, upper: Uint32Array, lower: Uint32Array, lowBits: number): KeyReader {
  const lowSpan = 2 ** lowBits
  let rank = 0
  let wordIndex = 0
  let word = upper[0] ?? 0
  return (into) => {
    let filled = 0
    while (filled < into.length && rank < size) {
      while (word === 0) word = upper[++wordIndex] ?? 0
      const one = wordIndex * 32 + trailingZeros(word)
      word &= word - 1
      into[filled++] = (one - rank) * lowSpan + bitsAt(lower, rank * lowBits, lowBits)
      rank++
    }
    return filled
  }
}

function bitsAt(words: Uint32Array, position: number, count: number): number {
  if (count === 0) return 0
  const index = Math.floor(position / 32)
  const from = position & 31
  const right = (words[index] ?? 0) >>> from
  const both = from + count <= 32 ? right : right | ((words[index + 1] ?? 0) << (32 - from))
  return both & (2 ** count - 1)
}

function putBits(words: Uint32Array, position: number, count: number, value: number): void {
  if (count === 0) return
  const index = Math.floor(position / 32)
  const from = position & 31
  words[index] = (words[index] ?? 0) | (value << from)
  if (from + count > 32) words[index + 1] = value >>> (32 - from)
}

function onesIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const quads = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((quads + (quads >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** Of the nth zero, counted from the lowest bit and from 1; the word has that many. */
function placeOfZero(word: number, nth: number): number {
  let zeros = ~word
  let place = 0
  const inLowHalf = onesIn(zeros & 0xffff)
  if (nth > inLowHalf) {
    nth -= inLowHalf
    zeros >>>= 16
    place = 16
  }
  const inLowByte = onesIn(zeros & 0xff)
  if (nth > inLowByte) {
    nth -= inLowByte
    zeros >>>= 8
    place += 8
  }
  while (--nth > 0) zeros &= zeros - 1
  return place + trailingZeros(zeros)
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}
