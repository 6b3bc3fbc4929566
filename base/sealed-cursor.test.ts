import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openCursor, sealCursor } from './sealed-cursor.ts'

test('a cursor opens in its own list, whole and unchanged, and nowhere else', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 })
  fc.assert(
    fc.property(text, text, text, fc.nat(), fc.constantFrom('cut', 'changed', 'longer'), (list, other, place, at, damage) => {
      const cursor = sealCursor(list, place)
      expect(openCursor(list, cursor)).toBe(place)
      if (other !== list) expect(openCursor(other, cursor)).toBeNull()
      const index = at % cursor.length
      const changed = cursor[index] === 'A' ? 'B' : 'A'
      const damaged = {
        cut: cursor.slice(0, index),
        changed: cursor.slice(0, index) + changed + cursor.slice(index + 1),
        longer: `${cursor}=`,
      }[damage]
      expect(openCursor(list, damaged)).toBeNull()
    }),
  )
})

test.each(['', 'abc', '====', 'OTk5OTk5OTk5OTk5OTk5Ojk5OTk5OTk5OTk6OTk6OTk', '\u{d800}', ' '])('%s is no cursor', (text) => {
  expect(openCursor('events', text)).toBeNull()
})
