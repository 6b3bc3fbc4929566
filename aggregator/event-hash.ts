/** Half-way state of the hash: what a customer's events share is mixed in once and kept. */
export type HashSeed = { readonly high: number; readonly low: number }

/**
 * 53 bits, as a float holds them exactly, of (tenant, customer, source, id). Two 32-bit hashes side by side, after the
 * public-domain cyrb53 (bryc). Not keyed: whoever makes ids collide on purpose makes us look them up, never miscount.
 */
export function eventHash(seed: HashSeed, source: string, id: string): number {
  let high = seed.high
  let low = seed.low
  for (let index = 0; index < source.length; index++) {
    const code = source.charCodeAt(index)
    high = Math.imul(high ^ code, HIGH_FACTOR)
    low = Math.imul(low ^ code, LOW_FACTOR)
  }
  high = Math.imul(high ^ SEPARATOR, HIGH_FACTOR)
  low = Math.imul(low ^ SEPARATOR, LOW_FACTOR)
  for (let index = 0; index < id.length; index++) {
    const code = id.charCodeAt(index)
    high = Math.imul(high ^ code, HIGH_FACTOR)
    low = Math.imul(low ^ code, LOW_FACTOR)
  }
  const mixedHigh = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  const mixedLow = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(mixedHigh ^ (mixedHigh >>> 13), 3266489909)
  return (mixedLow & 0x1fffff) * 2 ** 32 + (mixedHigh >>> 0)
}

export function hashSeed(tenant: string, customer: string): HashSeed {
  let high = 0xdeadbeef | 0
  let low = 0x41c6ce57
  for (const text of [tenant, customer]) {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      high = Math.imul(high ^ code, HIGH_FACTOR)
      low = Math.imul(low ^ code, LOW_FACTOR)
    }
    high = Math.imul(high ^ SEPARATOR, HIGH_FACTOR)
    low = Math.imul(low ^ SEPARATOR, LOW_FACTOR)
  }
  return { high, low }
}

export const HASH_BITS = 53

const HIGH_FACTOR = 2654435761 | 0
const LOW_FACTOR = 1597334677
/** Above every UTF-16 code unit, so that ('ab', 'c') and ('a', 'bc') differ. */
const SEPARATOR = 0x1_0001
