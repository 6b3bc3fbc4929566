import { bitAt, bitsAt, onesIn, placeOfZero, putBits, trailingZeros } from './packed-bits.ts'

/**
 * An immutable sorted set of keys of `KEY_BITS` bits, Elias-Fano coded (Elias 1974, Fano 1971): the low bits of each key stand as
 * they are, the high bits as a row of ones, one per key, with a zero after each high value. N keys take about KEY_BITS - log2(N)
 * + 2.5 bits each, and a look-up touches three places in memory.
 */
export type PackedHashes = {
  readonly size: number
  readonly bytes: number
  /** Sets `held` to 1 beside each key that is in the set; a key beside a 1 is not looked for. */
  find(keys: Float64Array, held: Uint8Array): void
  /** Ascending. */
  reader(): KeyReader
}

/** Fills the buffer from its start with the next keys; 0 when there are no more. */
export type KeyReader = (into: Float64Array) => number

/** A key that was never added is found with probability size / 2^KEY_BITS: 1 in 1,000 at 69 million keys. */
export const KEY_BITS = 36

/** `keys` ascend and differ. */
export function encodePackedHashes(keys: Float64Array): PackedHashes {
  const encoder = createPackedHashesEncoder(keys.length)
  encoder.push(keys, keys.length)
  return encoder.finish()
}

/** A merge in small steps, as merging millions of keys at once would hold the process up. */
export type PackedHashesMerge = {
  /** Merges about `keysMax` keys; returns how many. */
  step(keysMax: number): number
  /** Null until the merge is done. A key in both sets is in the result once. */
  merged(): PackedHashes | null
}

export function mergePackedHashes(a: PackedHashes, b: PackedHashes): PackedHashesMerge {
  const [left, right] = [createHead(a.reader()), createHead(b.reader())]
  const encoder = createPackedHashesEncoder(a.size + b.size)
  const buffer = new Float64Array(BUFFER_KEYS)
  let merged: PackedHashes | null = null
  return {
    step(keysMax) {
      let taken = 0
      while (taken < keysMax && merged === null) {
        const count = mergeInto(buffer, left, right)
        if (count === 0) merged = encoder.finish()
        else encoder.push(buffer, count)
        taken += count
      }
      return taken
    },
    merged: () => merged,
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

/** High values per entry of the index: about as many keys, so the index takes about half a bit per key. */
const BUCKET_HIGHS = 64
const LOW_BITS_MAX = 30

export type PackedHashesEncoder = { push(keys: Float64Array, count: number): void; finish(): PackedHashes }

/** Keys ascend and differ, also from push to push. */
export function createPackedHashesEncoder(sizeMax: number): PackedHashesEncoder {
  const highBits = Math.round(Math.log2(Math.max(1, sizeMax)))
  const lowBits = Math.max(0, Math.min(LOW_BITS_MAX, KEY_BITS - highBits))
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
        const bucketOfKey = Math.floor(high / BUCKET_HIGHS)
        while (bucket < bucketOfKey) ranks[++bucket] = size
        const one = size + high
        upper[one >>> 5] = (upper[one >>> 5] ?? 0) | (1 << (one & 31))
        putBits(lower, size * lowBits, key - high * lowSpan)
        size++
      }
    },
    finish() {
      while (bucket < ranks.length - 1) ranks[++bucket] = size
      return keyRunOf(size, upper, lower.slice(0, Math.ceil((size * lowBits) / 32) + 1), ranks, lowBits)
    },
  }
}

function keyRunOf(size: number, upper: Uint32Array, lower: Uint32Array, ranks: Uint32Array, lowBits: number): PackedHashes {
  const lowSpan = 2 ** lowBits
  const lowMask = lowSpan - 1
  const perLowSpan = 1 / lowSpan

  /** Finds up to `ASKED_AT_ONCE` keys. */
  function findSome(keys: Float64Array, from: number, to: number, held: Uint8Array): void {
    let asked = 0
    for (let index = from; index < to; index++) {
      if (held[index] !== 0) continue
      const high = ((keys[index] ?? 0) * perLowSpan) | 0
      const rank = ranks[Math.floor(high / BUCKET_HIGHS)] ?? 0
      askedIndex[asked] = index
      askedHigh[asked] = high
      askedRank[asked] = rank
      askedPosition[asked] = rank + (high & ~(BUCKET_HIGHS - 1))
      asked++
    }
    let touched = 0
    for (let at = 0; at < asked; at++) touched |= upper[(askedPosition[at] ?? 0) >>> 5] ?? 0
    const likely = keepLikely(asked)
    for (let at = 0; at < likely; at++) touched |= lower[((askedRank[at] ?? 0) * lowBits) >>> 5] ?? 0
    touchedBefore[0] = touched
    for (let at = 0; at < likely; at++) {
      const index = askedIndex[at] ?? 0
      const low = (keys[index] ?? 0) - (askedHigh[at] ?? 0) * lowSpan
      if (isAmong(low, askedRank[at] ?? 0, askedPosition[at] ?? 0)) held[index] = 1
    }
  }

  /** Moves the keys to the front that share their high value with a key of the run, and places them at the first such key. */
  function keepLikely(asked: number): number {
    let likely = 0
    for (let at = 0; at < asked; at++) {
      const high = askedHigh[at] ?? 0
      let rank = askedRank[at] ?? 0
      let position = askedPosition[at] ?? 0
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
      askedIndex[likely] = askedIndex[at] ?? 0
      askedHigh[likely] = high
      askedRank[likely] = rank
      askedPosition[likely] = position
      // Without a branch, as both outcomes are about equally likely.
      likely += bitAt(upper, position)
    }
    return likely
  }

  /** Each one from the position to the next zero is a key with the same high value. */
  function isAmong(low: number, firstRank: number, firstPosition: number): boolean {
    let rank = firstRank
    let position = firstPosition
    do {
      const held = bitsAt(lower, rank * lowBits, lowMask)
      if (held >= low) return held === low
      rank++
      position++
    } while (bitAt(upper, position) === 1)
    return false
  }

  return {
    size,
    bytes: upper.byteLength + lower.byteLength + ranks.byteLength,
    find(keys, held) {
      for (let from = 0; from < keys.length; from += ASKED_AT_ONCE) {
        findSome(keys, from, Math.min(keys.length, from + ASKED_AT_ONCE), held)
      }
    },
    reader: () => createKeyReader(size, upper, lower, lowBits),
  }
}

/**
 * A look-up is three reads of memory that is seldom in a cache, each of which needs the one before. The processor waits for the
 * reads of many keys at once when they stand in one short loop, but one after the other when branches on the results lie between.
 * So each stage is done for all these keys before the next. Intermediate results, by place:
 */
const ASKED_AT_ONCE = 256
const askedIndex = new Int32Array(ASKED_AT_ONCE)
const askedHigh = new Int32Array(ASKED_AT_ONCE)
const askedRank = new Int32Array(ASKED_AT_ONCE)
const askedPosition = new Int32Array(ASKED_AT_ONCE)
/** Kept so that reads made only to warm the cache are not optimised away. */
const touchedBefore = new Int32Array(1)

function createKeyReader(size: number, upper: Uint32Array, lower: Uint32Array, lowBits: number): KeyReader {
  const lowSpan = 2 ** lowBits
  const lowMask = lowSpan - 1
  let rank = 0
  let wordIndex = 0
  let word = upper[0] ?? 0
  return (into) => {
    let filled = 0
    while (filled < into.length && rank < size) {
      while (word === 0) word = upper[++wordIndex] ?? 0
      const one = wordIndex * 32 + trailingZeros(word)
      word &= word - 1
      into[filled++] = (one - rank) * lowSpan + bitsAt(lower, rank * lowBits, lowMask)
      rank++
    }
    return filled
  }
}
