import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'

/**
 * Keys of windows that are in the store and no longer in memory: answers "certainly not" or "maybe", and a maybe costs a look-up.
 * A Bloom filter of one size, 1 MiB per partition once it is needed: one false maybe in 40 with a million keys, one in three with
 * three million. Windows of different tenants and meters may share a key.
 */
export type LetGoKeys = {
  add(customer: CustomerKey, dimensionValues: readonly string[], windowStartMs: InstantMs): void
  mayHave(customer: CustomerKey, dimensionValues: readonly string[], windowStartMs: InstantMs): boolean
  isEmpty(): boolean
  forget(): void
}

export function createLetGoKeys(): LetGoKeys {
  let words: Uint32Array | null = null
  let isEmpty = true

  /** The hash has 53 bits: 32 choose the first place, 21 the distance between places. */
  function* placesFor(customer: CustomerKey, values: readonly string[], windowStartMs: InstantMs): Iterable<number> {
    const hash = eventHash(hashSeed('', customer), values.join('\n'), String(windowStartMs))
    const step = Math.floor(hash / 2 ** 32) | 1
    let place = hash % BITS
    for (let at = 0; at < PLACES_PER_KEY; at++) {
      yield place
      place = (place + step) % BITS
    }
  }

  return {
    add(...key) {
      words ??= new Uint32Array(BITS / 32)
      isEmpty = false
      for (const place of placesFor(...key)) words[place >>> 5] = (words[place >>> 5] ?? 0) | (1 << (place & 31))
    },
    mayHave(...key) {
      if (words === null || isEmpty) return false
      for (const place of placesFor(...key)) if (((words[place >>> 5] ?? 0) & (1 << (place & 31))) === 0) return false
      return true
    },
    isEmpty: () => isEmpty,
    forget() {
      if (!isEmpty) words?.fill(0)
      isEmpty = true
    },
  }
}

const BITS = 2 ** 23
const PLACES_PER_KEY = 4
