import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InstantMs } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import { createDedupeFilter } from './dedupe-filter.ts'
import { eventHash, hashSeed } from './event-hash.ts'
import { encodeKeyRun, KEY_BITS, mergeKeyRuns } from './key-run.ts'

const DAY_MS = 86_400_000
const NOW_MS = 1_750_000_000_000
const seed = hashSeed('default', 'customer-1')
const hashesOf = (prefix: string, count: number) =>
  Float64Array.from({ length: count }, (_, index) => eventHash(seed, 'default', `${prefix}-${index}`))
const readerOf = (keys: readonly number[]) => {
  let index = 0
  return () => keys[index++] ?? -1
}

test('A run holds exactly the keys that were put in, alone and merged', () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 }), { maxLength: 300 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(keys, keys, fc.array(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 })), (some, others, absent) => {
      const merged = mergeKeyRuns(encodeKeyRun(readerOf(some), some.length), encodeKeyRun(readerOf(others), others.length))
      const all = new Set([...some, ...others])
      const read: number[] = []
      const next = merged.reader()
      for (let key = next(); key >= 0; key = next()) read.push(key)
      expect(read).toEqual([...all].sort((a, b) => a - b))
      for (const key of [...all, ...absent, 0, 2 ** KEY_BITS - 1]) expect(merged.has(key)).toBe(all.has(key))
    }),
  )
})

test('A million remembered events are all found, others rarely, in 2 bytes each beyond the base', () => {
  const filter = createDedupeFilter((NOW_MS - DEDUPE_HORIZON_MS) as InstantMs)
  const batch = 16_384
  const batches = 64
  for (let index = 0; index < batches; index++) {
    filter.add(hashesOf(`remembered-${index}`, batch), new Float64Array(batch).fill(NOW_MS))
  }
  expect(filter.size()).toBeGreaterThan(batch * batches - 50)
  expect(filter.bytes()).toBeLessThanOrEqual(filter.size() * 2 + 256 * 1024)
  let missing = 0
  for (let index = 0; index < batches; index += 7) {
    for (const hash of hashesOf(`remembered-${index}`, batch)) if (!filter.mayHold(hash, NOW_MS - DEDUPE_HORIZON_MS)) missing++
  }
  expect(missing).toBe(0)
  const others = hashesOf('other', 1_000_000)
  const falseMaybes = others.filter((hash) => filter.mayHold(hash, NOW_MS - DEDUPE_HORIZON_MS)).length
  expect(falseMaybes).toBeLessThan(1_000)
})

test('An old week is dropped whole, and what was forgotten early is a maybe', () => {
  const filter = createDedupeFilter(0 as InstantMs)
  const old = hashesOf('old', 1_000)
  const fresh = hashesOf('fresh', 1_000)
  filter.add(old, new Float64Array(1_000).fill(NOW_MS - 50 * DAY_MS))
  filter.add(fresh, new Float64Array(1_000).fill(NOW_MS))
  filter.advance(NOW_MS)
  expect(filter.size()).toBe(1_000)
  const unseen = eventHash(seed, 'default', 'unseen')
  expect(filter.mayHold(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toBe(false)
  expect(filter.forgetOldest()).toBe(false)
  filter.add(old, new Float64Array(1_000).fill(NOW_MS - 20 * DAY_MS))
  expect(filter.forgetOldest()).toBe(true)
  expect(filter.mayHold(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toBe(true)
  expect(filter.mayHold(unseen, NOW_MS - DAY_MS)).toBe(false)
  expect(filter.mayHold(fresh[5] ?? 0, NOW_MS - DAY_MS)).toBe(true)
})
