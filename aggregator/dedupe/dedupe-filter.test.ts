import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { InstantMs } from '../../domain/identity.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'
import { DEDUPE_HORIZON_MS } from '../../domain/metering/usage-event.ts'
import { createDedupeFilter } from './dedupe-filter.ts'
import { encodePackedHashes, KEY_BITS, mergePackedHashes } from './packed-hashes.ts'

const DAY_MS = 86_400_000
const NOW_MS = 1_750_000_000_000
const seed = hashSeed('default', 'customer-1')
const hashesOf = (prefix: string, count: number) =>
  Float64Array.from({ length: count }, (_, index) => eventHash(seed, 'default', `${prefix}-${index}`))
const runOf = (keys: readonly number[]) => encodePackedHashes(Float64Array.from(keys))

test('A run holds exactly the keys that were put in, alone and merged', () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 }), { maxLength: 300 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(keys, keys, fc.array(fc.integer({ min: 0, max: 2 ** KEY_BITS - 1 })), (some, others, absent) => {
      const merge = mergePackedHashes(runOf(some), runOf(others))
      while (merge.merged() === null) merge.step(1)
      const merged = merge.merged() ?? runOf([])
      const all = new Set([...some, ...others])
      const read: number[] = []
      const reader = merged.reader()
      const buffer = new Float64Array(7)
      for (let count = reader(buffer); count > 0; count = reader(buffer)) read.push(...buffer.subarray(0, count))
      expect(read).toEqual([...all].sort((a, b) => a - b))
      const asked = [...all, ...absent, 0, 2 ** KEY_BITS - 1]
      const held = new Uint8Array(asked.length)
      merged.find(Float64Array.from(asked), held)
      expect([...held]).toEqual(asked.map((key) => Number(all.has(key))))
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
  filter.advance(NOW_MS + 10 * DAY_MS)
  while (!filter.tidy(100_000)) expect(filter.maybes(hashesOf('remembered-3', 1), NOW_MS - DEDUPE_HORIZON_MS)).toEqual([0])
  expect(filter.size()).toBeGreaterThan(batch * batches - 100)
  expect(filter.bytes()).toBeLessThanOrEqual(filter.size() * 2 + 640 * 1024)
  let missing = 0
  for (let index = 0; index < batches; index += 7) {
    missing += batch - filter.maybes(hashesOf(`remembered-${index}`, batch), NOW_MS - DEDUPE_HORIZON_MS).length
  }
  expect(missing).toBe(0)
  const falseMaybes = filter.maybes(hashesOf('other', 1_000_000), NOW_MS - DEDUPE_HORIZON_MS)
  expect(falseMaybes.length).toBeLessThan(100)
})

test('An old week is dropped whole, and what was forgotten early is a maybe', () => {
  const filter = createDedupeFilter(0 as InstantMs)
  const old = hashesOf('old', 1_000)
  const fresh = hashesOf('fresh', 1_000)
  for (const hash of old) filter.add(hash, NOW_MS - 50 * DAY_MS)
  for (const hash of fresh) filter.add(hash, NOW_MS)
  filter.advance(NOW_MS)
  expect(filter.size()).toBe(1_000)
  const unseen = hashesOf('unseen', 1)
  expect(filter.maybes(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toEqual([])
  expect(filter.forgetOldest()).toBe(false)
  for (const hash of old) filter.add(hash, NOW_MS - 20 * DAY_MS)
  expect(filter.forgetOldest()).toBe(true)
  expect(filter.maybes(unseen, NOW_MS - DEDUPE_HORIZON_MS)).toEqual([0])
  expect(filter.maybes(unseen, NOW_MS - DAY_MS)).toEqual([])
  expect(filter.maybes(fresh, NOW_MS - DAY_MS)).toHaveLength(fresh.length)
})

test('A run given whole is remembered as one that was added hash by hash', () => {
  const hash = fc.integer({ min: 0, max: 2 ** 53 - 1 })
  fc.assert(
    fc.property(fc.array(hash, { maxLength: 2_000 }), fc.array(hash), fc.nat(), (hashes, others, cut) => {
      const sorted = Float64Array.from([...hashes, ...hashes.slice(0, 10)]).sort()
      const whole = createDedupeFilter(0 as InstantMs)
      const run = whole.addRun(NOW_MS, sorted.length)
      run.push(sorted.subarray(0, cut % (sorted.length + 1)))
      run.push(sorted.subarray(cut % (sorted.length + 1)))
      run.end()
      const oneByOne = createDedupeFilter(0 as InstantMs)
      for (const each of hashes) oneByOne.add(each, NOW_MS)
      const asked = Float64Array.from([...hashes, ...others])
      expect(whole.maybes(asked, NOW_MS)).toEqual(oneByOne.maybes(asked, NOW_MS))
      expect(whole.size()).toBe(oneByOne.size())
    }),
  )
})
