import { expect, test } from 'vitest'
import { uuidV7 } from './uuid-v7.ts'

test('has the shape of version 7 and holds the milliseconds it was made at', () => {
  const nowMs = Date.parse('2026-11-27T09:30:00.123Z')
  const id = uuidV7(nowMs)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(nowMs)
})

test('sorts by time, and no two of one millisecond are the same', () => {
  const times = [0, 1, 65_535, 65_536, 2 ** 32, 2 ** 32 + 1, 1_800_000_000_000]
  const ids = times.map((time) => uuidV7(time))
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(Array.from({ length: 10_000 }, () => uuidV7(1))).size).toBe(10_000)
})
