import type { InstantMs } from '../identity.ts'
import type { UsageEvent } from './usage-event.ts'

/** Intermediate state of the hash: the part that a customer's events share is computed once and kept. */
export type HashSeed = { readonly high: number; readonly low: number }

/**
 * 53 bits, as a float holds them exactly, of (tenant, customer, source, id): for `high` MurmurHash3, for `low` MurmurHash2
 * (Appleby, public domain; 32 bits, seed 0) of the UTF-8 of each text, times the factor of its kind, all combined by xor. The
 * ClickHouse engine has both functions, so the usage store hashes stored events by itself and hands no texts over. Not keyed: a
 * sender that makes ids collide on purpose causes look-ups, never a miscount.
 */
export function eventHash(seed: HashSeed, source: string, id: string): number {
  if (source !== hashedSource) {
    hashText(source)
    sourceHigh = Math.imul(textHigh, HASH_FACTORS.source)
    sourceLow = Math.imul(textLow, HASH_FACTORS.source)
    hashedSource = source
  }
  hashText(id)
  const high = seed.high ^ sourceHigh ^ textHigh
  const low = seed.low ^ sourceLow ^ textLow
  return (low & HASH_LOW_MASK) * 2 ** 32 + (high >>> 0)
}

export function hashSeed(tenant: string, customer: string): HashSeed {
  hashText(tenant)
  const tenantHigh = Math.imul(textHigh, HASH_FACTORS.tenant)
  const tenantLow = Math.imul(textLow, HASH_FACTORS.tenant)
  hashText(customer)
  return { high: tenantHigh ^ Math.imul(textHigh, HASH_FACTORS.customer), low: tenantLow ^ Math.imul(textLow, HASH_FACTORS.customer) }
}

/**
 * As many bits of everything that is kept of an event, so that different events have different ones: of a text with the fields
 * separated by `PRINT_SEPARATOR`, and `PRINT_NULL` for a null field.
 */
export function eventPrint(tenant: string, event: UsageEvent, receivedAtMs: InstantMs): number {
  const { customer, source, id, type, subject, data, attributes, occurredAtMs } = event
  hashText(
    `${tenant}${PRINT_SEPARATOR}${customer}${PRINT_SEPARATOR}${source}${PRINT_SEPARATOR}${id}${PRINT_SEPARATOR}${type}${PRINT_SEPARATOR}${
      subject ?? PRINT_NULL
    }${PRINT_SEPARATOR}${data}${PRINT_SEPARATOR}${attributes ?? PRINT_NULL}${PRINT_SEPARATOR}${occurredAtMs}${PRINT_SEPARATOR}${receivedAtMs}`,
  )
  return (textLow & HASH_LOW_MASK) * 2 ** 32 + (textHigh >>> 0)
}

/** 32 bits of one text: MurmurHash3 of its UTF-8. */
export function textHash(text: string): number {
  hashText(text)
  return textHigh >>> 0
}

export const PRINT_SEPARATOR = '\n'
export const PRINT_NULL = '\t'

export const HASH_BITS = 53
/** Odd, so that nothing is lost. The factor of the id, which varies most, is 1. */
export const HASH_FACTORS = { tenant: 2654435761, customer: 1597334677, source: 2246822507 }
export const HASH_LOW_MASK = 2 ** (HASH_BITS - 32) - 1

let textHigh = 0
let textLow = 0
/** In most cases the source of the event before. */
let hashedSource: string | null = null
let sourceHigh = 0
let sourceLow = 0

/** Leaves both hashes in `textHigh` and `textLow`, as a pair would be an object for every event. */
function hashText(text: string): void {
  const codes = hashUnits(text)
  // The text of its bytes, one code each.
  if (codes > 127) hashUnits(Buffer.from(text, 'utf8').toString('latin1'))
}

/** Correct when every code is a byte. Returns all codes or-ed. */
function hashUnits(text: string): number {
  const { length } = text
  const whole = length & ~3
  let high = 0
  let low = length
  let codes = 0
  for (let index = 0; index < whole; index += 4) {
    const a = text.charCodeAt(index)
    const b = text.charCodeAt(index + 1)
    const c = text.charCodeAt(index + 2)
    const d = text.charCodeAt(index + 3)
    codes |= a | b | c | d
    const word = a | (b << 8) | (c << 16) | (d << 24)
    high = high ^ mixedHigh(word)
    high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0
    const mixed = Math.imul(word, LOW_FACTOR)
    low = Math.imul(low, LOW_FACTOR) ^ Math.imul(mixed ^ (mixed >>> 24), LOW_FACTOR)
  }
  if (whole < length) {
    let rest = 0
    for (let index = length - 1; index >= whole; index--) {
      const code = text.charCodeAt(index)
      codes |= code
      rest = (rest << 8) | code
    }
    high ^= mixedHigh(rest)
    low = Math.imul(low ^ rest, LOW_FACTOR)
  }
  high ^= length
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b)
  high = Math.imul(high ^ (high >>> 13), 0xc2b2ae35)
  textHigh = high ^ (high >>> 16)
  low = Math.imul(low ^ (low >>> 13), LOW_FACTOR)
  textLow = low ^ (low >>> 15)
  return codes
}

const LOW_FACTOR = 0x5bd1e995

function mixedHigh(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
