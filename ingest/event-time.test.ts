import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../test/support/long-run.ts'
import { parseEventTime } from './event-time.ts'

describe('parseEventTime', () => {
  test.each([
    { text: '2026-07-01T09:30:00Z', iso: '2026-07-01T09:30:00.000Z' },
    { text: '2026-07-01t09:30:00.5z', iso: '2026-07-01T09:30:00.500Z' },
    { text: '2023-11-16 18:17:03.9799600+00:00', iso: '2023-11-16T18:17:03.979Z' },
    { text: '2026-07-01T00:30:00.123456789012345+02:00', iso: '2026-06-30T22:30:00.123Z' },
    { text: '2026-12-31T23:59:59,9-0130', iso: '2027-01-01T01:29:59.900Z' },
    { text: '2024-02-29T12:00:00+05', iso: '2024-02-29T07:00:00.000Z' },
  ])('$text is $iso', ({ text, iso }) => {
    expect(new Date(parseEventTime(text) ?? Number.NaN).toISOString()).toBe(iso)
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
    '2026/07/01T09:30:00Z',
    '1700000000',
    'yesterday',
    '+12026-07-01T00:00:00Z',
    '2026-07-01T09:30:00.1٣Z',
  ])('%s is no time', (text) => {
    expect(parseEventTime(text)).toBeUndefined()
  })

  test('agrees with Date on every instant of four digit years', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
        expect(parseEventTime(new Date(ms).toISOString())).toBe(ms)
      }),
      { numRuns: inLongRun(2000, 400) },
    )
  })
})
