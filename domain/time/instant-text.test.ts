import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { parseDateText, parseInstantText } from './instant-text.ts'

describe('parseInstantText', () => {
  test.each([
    { text: '2026-07-01T09:30:00Z', iso: '2026-07-01T09:30:00.000Z' },
    { text: '2026-07-01t09:30:00.5z', iso: '2026-07-01T09:30:00.500Z' },
    { text: '2023-11-16 18:17:03.9799600+00:00', iso: '2023-11-16T18:17:03.979Z' },
    { text: '2026-07-01T00:30:00.123456789012345+02:00', iso: '2026-06-30T22:30:00.123Z' },
    { text: '2026-12-31T23:59:59,9-0130', iso: '2027-01-01T01:29:59.900Z' },
    { text: '2024-02-29T12:00:00+05', iso: '2024-02-29T07:00:00.000Z' },
    { text: '2016-12-31T23:59:60Z', iso: '2016-12-31T23:59:59.999Z' },
    { text: '2017-01-01T05:29:60.123+05:30', iso: '2016-12-31T23:59:59.999Z' },
    { text: '0001-01-01T00:00:00Z', iso: '0001-01-01T00:00:00.000Z' },
  ])('$text is $iso', ({ text, iso }) => {
    expect(new Date(parseInstantText(text) ?? Number.NaN).toISOString()).toBe(iso)
  })

  test.each([
    '',
    '2026-07-01',
    '2026-07-01T09:30Z',
    '2026-07-01T09:30:00',
    '2026-07-01T09:30:00.Z',
    '2026-07-01T09:30:00Zz',
    '2026-07-01T09:30:00+2:00',
    '2026-07-01T09:30:00+24:00',
    '2026-07-01T09:30:00+02:60',
    '2026-07-01T09:30:00+02:0',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-07-01T24:00:00Z',
    '2026-07-01T23:60:00Z',
    '2026-07-01T23:59:60Z',
    '2016-12-31T23:59:61Z',
    '2016-12-31T23:58:60Z',
    '2016-12-31T23:59:60+01:00',
    '2026/07/01T09:30:00Z',
    '1700000000',
    'yesterday',
    '+12026-07-01T00:00:00Z',
    '2026-07-01T09:30:00.1٣Z',
  ])('%s is no time', (text) => {
    expect(parseInstantText(text)).toBeUndefined()
  })

  test('agrees with Date on every instant of four digit years', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
        expect(parseInstantText(new Date(ms).toISOString())).toBe(ms)
      }),
      { numRuns: inLongRun(2000, 400) },
    )
  })
})

describe('parseDateText', () => {
  test('every day of four digit years, and no other text', () => {
    fc.assert(
      fc.property(fc.integer({ min: -719_528, max: 2_932_896 }), (days) => {
        expect(parseDateText(new Date(days * 86_400_000).toISOString().slice(0, 10))).toBe(days)
      }),
      { numRuns: inLongRun(2000, 400) },
    )
    for (const text of ['', '2026-2-1', '2026-02-29', '2026-13-01', '2026-00-01', '2026-01-00', '2026-01-01 ', '20260101', 'today']) {
      expect(parseDateText(text)).toBeUndefined()
    }
  })
})
