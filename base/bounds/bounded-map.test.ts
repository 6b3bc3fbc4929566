import { expect, test } from 'vitest'
import { createBoundedMap } from './bounded-map.ts'

test('holds the newest half of its bound, and never more than all of it', () => {
  for (const added of [0, 1, 4, 5, 6, 9, 10, 11, 23, 100]) {
    const map = createBoundedMap<number, number>(10)
    for (let key = 1; key <= added; key++) map.set(key, key)
    // Looked at from the newest on: finding an entry makes it young, at the cost of the oldest entries alone.
    const held = Array.from({ length: added }, (_, at) => added - at).filter((key) => map.get(key) === key)
    expect(held.slice(0, 5)).toEqual(Array.from({ length: Math.min(added, 5) }, (_, at) => added - at))
    expect(held.length).toBeLessThanOrEqual(10)
  }
})

test('what is looked at stays, however much comes after it', () => {
  const map = createBoundedMap<string, number>(10)
  map.set('used', 1)
  map.set('unused', 2)
  for (let key = 0; key < 100; key++) {
    map.set(`other ${key}`, key)
    expect(map.get('used')).toBe(1)
  }
  expect(map.get('unused')).toBeUndefined()
})

test('a value set again is the new one, young or old', () => {
  const map = createBoundedMap<string, number>(4)
  map.set('a', 1)
  map.set('a', 2)
  expect(map.get('a')).toBe(2)
  map.set('b', 1)
  map.set('c', 1)
  map.set('a', 3)
  expect(map.get('a')).toBe(3)
})
