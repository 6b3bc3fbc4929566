import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileMeter } from './expressions/compiled-meter.ts'
import { KEPT_BYTES_MAX, uniqueValue } from './unique-value.ts'

test.each([
  { value: '', kept: '' },
  { value: 'user-7', kept: 'user-7' },
  { value: 'x'.repeat(32), kept: 'x'.repeat(32) },
  { value: 'ü'.repeat(16), kept: 'ü'.repeat(16) },
  // As `printf %s … | sha256sum` says.
  { value: 'x'.repeat(33), kept: '#11ba55a3a7c1ee0f8eb8867dc40a62c6' },
  { value: 'ü'.repeat(17), kept: '#2759b0f72b319d46ef47f2b5679d38d0' },
  { value: 'x'.repeat(30_000), kept: '#8a6d5f7b1061fefacb7509d5bf23a322' },
])('$value.length characters', ({ value, kept }) => {
  expect(uniqueValue(value)).toBe(kept)
})

test('values that differ are kept apart, whatever they look like, in 33 bytes at most', () => {
  const texts = fc.array(fc.oneof(fc.string({ maxLength: 80, unit: 'grapheme' }), fc.constant('y'.repeat(40)).map(uniqueValue)))
  fc.assert(
    fc.property(texts, (values) => {
      const kept = new Set(values.map(uniqueValue))
      expect(kept.size).toBe(new Set(values).size)
      for (const text of kept) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(KEPT_BYTES_MAX + 1)
    }),
  )
})

test('a value of several parts is one value', () => {
  const meter = compileMeter({ eventType: 'call', aggregation: 'unique', value: ['a', 'b'], dimensions: {} })
  expect(meter.read({ a: 'x', b: 'y' })).toEqual({ text: '["x","y"]' })
  expect(meter.read({ a: 'x'.repeat(40), b: 'y' })).toEqual({ text: uniqueValue(`["${'x'.repeat(40)}","y"]`) })
})
