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
const runOf = (keys: readonly number[]) => encodeKeyRun(Float64Array.from(keys))

test('A run holds exactly the keys that were put in, alone and merged', () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 }), { maxLength: 300 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(keys, keys, fc.array(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 })), (some, others, absent) => {
      const merge = mergeKeyRuns(runOf(some), runOf(others))
      const merged = merge.step(1) ?? merge.step(1) ?? runOf([])
      const all = new Set([...some, ...others])
      const read: number[] = []
      const reader = merged.reader()
      const buffer = new Float64Array(7)
      for (let count = reader(buffer); count > 0; count = reader(buffer)) read.push(...buffer.subarray(0, count))
      expect(read).toEqual([...all].sort((a, b) => a - b))
      for (const key of [...all, ...absent, 0, 2 ** KEY_BITS - 1]) expect(merged.has(key)).toBe(all.has(key))
    }),
  )
})

test('A million remembered events are all found, others rarely, in 2 bytes each beyond the base', () => {
  const filter = createDedupeFilter((NOW_MS - DEDUPE_HORIZON_MS) as InstantMs)
  const batch = 10_000
  const batches = 100
  for (let index = 0; index < batches; index++) {
    for (const hash of hashesOf(`remembered-${index}`, batch)) filter.add(hash, NOW_MS)
  }
  filter.pack()
  while (!filter.tidy(100_000)) expect(filter.mayHold(hashesOf('remembered-3', 1)[0] ?? 0, NOW_MS - DEDUPE_HORIZON_MS)).toBe(true)
  expect(filter.size()).toBeGreaterThan(batch * batches - 100)
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
  for (const hash of old) filter.add(hash, NOW_MS - 50 * DAY_MS)
  for (const hash of fresh) filter.add(hash, NOW_MS)
  filter.advance(NOW_MS)
  expect(filter.size()).toBe(1_000)
  const unseen = eventHash(seed, 'default', 'unseen')
  expect(filter.mayHold(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toBe(false)
  expect(filter.forgetOldest()).toBe(false)
  for (const hash of old) filter.add(hash, NOW_MS - 20 * DAY_MS)
  expect(filter.forgetOldest()).toBe(true)
  expect(filter.mayHold(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toBe(true)
  expect(filter.mayHold(unseen, NOW_MS - DAY_MS)).toBe(false)
  expect(filter.mayHold(fresh[5] ?? 0, NOW_MS - DAY_MS)).toBe(true)
})
