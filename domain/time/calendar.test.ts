import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../identity.ts'
import { billingPeriodAt, createPeriodCursor, nextPeriod, periodAt, previousPeriod } from './calendar.ts'
import { PLAN_INTERVALS } from './intervals.ts'
import type { ResetSchedule } from './reset-schedule.ts'

const instant = (iso: string) => {
  const ms = Date.parse(iso.length === 10 ? `${iso}T00:00:00Z` : iso)
  if (Number.isNaN(ms)) throw new Error(`no instant: ${iso}`)
  return ms as InstantMs
}
const short = (ms: number) =>
  ms === END_OF_TIME_MS ? 'never' : new Date(ms).toISOString().replace('T00:00:00.000Z', '').replace('.000Z', 'Z')
const shown = (period: Period | null) => (period === null ? null : [short(period.startMs), short(period.endMs)])

const schedule = (about: Partial<Omit<ResetSchedule, 'anchorMs' | 'fromMs'>> & { anchorAt?: string; from?: string }): ResetSchedule => ({
  interval: about.interval ?? 'month',
  anchor: about.anchor ?? 'subscription',
  anchorMs: instant(about.anchorAt ?? '2023-01-01'),
  fromMs: instant(about.from ?? '1990-01-01'),
  timezone: about.timezone ?? 'UTC',
})

/** All boundaries from the period at `from` on, `count` of them. */
function boundaries(of: ResetSchedule, from: string, count: number): string[] {
  const result: string[] = []
  let period: Period | null = periodAt(of, instant(from))
  while (period !== null && result.length < count) {
    result.push(short(period.startMs))
    period = nextPeriod(of, period)
  }
  return result
}

describe('subscription anchors', () => {
  test('month ends clamp and come back, a leap year long', () => {
    expect(boundaries(schedule({ anchorAt: '2024-01-31' }), '2024-01-31', 14)).toEqual([
      ...['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30', '2024-05-31', '2024-06-30', '2024-07-31'],
      ...['2024-08-31', '2024-09-30', '2024-10-31', '2024-11-30', '2024-12-31', '2025-01-31', '2025-02-28'],
    ])
  })

  test.each<{ interval: ResetSchedule['interval']; anchorAt: string; from: string; starts: string[] }>([
    {
      interval: 'month',
      anchorAt: '2024-03-31T15:30:00Z',
      from: '2023-12-31T15:30:00Z',
      starts: ['2023-12-31T15:30:00Z', '2024-01-31T15:30:00Z', '2024-02-29T15:30:00Z', '2024-03-31T15:30:00Z'],
    },
    { interval: 'month', anchorAt: '2023-01-30', from: '2023-02-27', starts: ['2023-01-30', '2023-02-28', '2023-03-30'] },
    { interval: 'quarter', anchorAt: '2023-11-30', from: '2023-11-30', starts: ['2023-11-30', '2024-02-29', '2024-05-30', '2024-08-30'] },
    { interval: '3months', anchorAt: '2023-11-30', from: '2023-11-30', starts: ['2023-11-30', '2024-02-29', '2024-05-30', '2024-08-30'] },
    { interval: '6months', anchorAt: '2023-08-31', from: '2023-08-31', starts: ['2023-08-31', '2024-02-29', '2024-08-31', '2025-02-28'] },
    {
      interval: 'year',
      anchorAt: '2024-02-29',
      from: '2023-02-28',
      starts: ['2023-02-28', '2024-02-29', '2025-02-28', '2026-02-28', '2027-02-28', '2028-02-29'],
    },
    { interval: 'year', anchorAt: '2000-02-29', from: '1999-03-01', starts: ['1999-02-28', '2000-02-29', '2001-02-28'] },
    {
      interval: 'day',
      anchorAt: '2023-01-01T18:00:00Z',
      from: '2024-02-29T12:00:00Z',
      starts: ['2024-02-28T18:00:00Z', '2024-02-29T18:00:00Z', '2024-03-01T18:00:00Z'],
    },
    { interval: 'week', anchorAt: '2023-01-04', from: '2022-12-30', starts: ['2022-12-28', '2023-01-04', '2023-01-11'] },
    { interval: '28days', anchorAt: '2023-01-04', from: '2023-01-03', starts: ['2022-12-07', '2023-01-04', '2023-02-01', '2023-03-01'] },
    {
      interval: 'hour',
      anchorAt: '2023-01-01T00:17:00Z',
      from: '2023-06-01T00:00:00Z',
      starts: ['2023-05-31T23:17:00Z', '2023-06-01T00:17:00Z'],
    },
  ])('$interval from $anchorAt', ({ interval, anchorAt, from, starts }) => {
    expect(boundaries(schedule({ interval, anchorAt }), from, starts.length)).toEqual(starts)
  })

  test('in a named zone keep the time on the wall', () => {
    const of = schedule({ interval: 'month', anchorAt: '2023-01-31T17:00:00Z', timezone: 'Europe/Berlin' })
    expect(boundaries(of, '2023-02-28T17:00:00Z', 3)).toEqual(['2023-02-28T17:00:00Z', '2023-03-31T16:00:00Z', '2023-04-30T16:00:00Z'])
  })
})

describe('calendar anchors', () => {
  test.each<{ interval: ResetSchedule['interval']; timezone: string; at: string; period: [string, string]; why: string }>([
    {
      interval: 'hour',
      timezone: 'UTC',
      at: '2023-11-16T18:59:59.999Z',
      period: ['2023-11-16T18:00:00Z', '2023-11-16T19:00:00Z'],
      why: 'last ms',
    },
    { interval: 'day', timezone: 'UTC', at: '2024-02-29', period: ['2024-02-29', '2024-03-01'], why: 'leap day' },
    { interval: 'week', timezone: 'UTC', at: '2023-01-01', period: ['2022-12-26', '2023-01-02'], why: 'a Sunday ends the week' },
    { interval: 'week', timezone: 'UTC', at: '2023-01-02', period: ['2023-01-02', '2023-01-09'], why: 'a Monday begins it' },
    { interval: '28days', timezone: 'UTC', at: '1970-01-04', period: ['1969-12-08', '1970-01-05'], why: 'before the first block' },
    { interval: '28days', timezone: 'UTC', at: '2023-11-16', period: ['2023-10-30', '2023-11-27'], why: '702 blocks after it' },
    { interval: 'month', timezone: 'UTC', at: '2023-11-30T23:59:59.999Z', period: ['2023-11-01', '2023-12-01'], why: 'last ms' },
    { interval: 'month', timezone: 'UTC', at: '1900-02-28', period: ['1900-02-01', '1900-03-01'], why: '1900 was no leap year' },
    { interval: 'quarter', timezone: 'UTC', at: '2024-02-29', period: ['2024-01-01', '2024-04-01'], why: 'leap day' },
    { interval: '3months', timezone: 'UTC', at: '2023-12-31', period: ['2023-10-01', '2024-01-01'], why: 'as a quarter' },
    { interval: '6months', timezone: 'UTC', at: '2023-07-01', period: ['2023-07-01', '2024-01-01'], why: 'second half' },
    { interval: 'year', timezone: 'UTC', at: '2023-12-31T23:59:59.999Z', period: ['2023-01-01', '2024-01-01'], why: 'last ms' },
    {
      interval: 'hour',
      timezone: 'Asia/Kolkata',
      at: '2023-11-16T18:10:00Z',
      period: ['2023-11-16T17:30:00Z', '2023-11-16T18:30:00Z'],
      why: 'half-hour offset',
    },
    {
      interval: 'day',
      timezone: 'America/New_York',
      at: '2023-03-12T12:00:00Z',
      period: ['2023-03-12T05:00:00Z', '2023-03-13T04:00:00Z'],
      why: '23 hours',
    },
    {
      interval: 'day',
      timezone: 'America/New_York',
      at: '2023-11-05T12:00:00Z',
      period: ['2023-11-05T04:00:00Z', '2023-11-06T05:00:00Z'],
      why: '25 hours',
    },
    {
      interval: 'day',
      timezone: 'America/Sao_Paulo',
      at: '2018-11-04T12:00:00Z',
      period: ['2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z'],
      why: 'midnight was skipped',
    },
    {
      interval: 'day',
      timezone: 'America/Havana',
      at: '2022-11-06T04:30:00Z',
      period: ['2022-11-06T04:00:00Z', '2022-11-07T05:00:00Z'],
      why: 'midnight came twice',
    },
    {
      interval: 'day',
      timezone: 'Pacific/Apia',
      at: '2011-12-30T10:00:00Z',
      period: ['2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z'],
      why: '30 December was skipped',
    },
    {
      interval: 'month',
      timezone: 'America/New_York',
      at: '2023-12-01T04:59:59.999Z',
      period: ['2023-11-01T04:00:00Z', '2023-12-01T05:00:00Z'],
      why: 'clocks changed within',
    },
    {
      interval: 'month',
      timezone: 'Asia/Tokyo',
      at: '2023-11-30T15:00:00Z',
      period: ['2023-11-30T15:00:00Z', '2023-12-31T15:00:00Z'],
      why: 'ahead of UTC',
    },
    {
      interval: 'year',
      timezone: 'Pacific/Kiritimati',
      at: '2023-12-31T10:00:00Z',
      period: ['2023-12-31T10:00:00Z', '2024-12-31T10:00:00Z'],
      why: 'UTC+14',
    },
  ])('$interval in $timezone at $at: $why', ({ interval, timezone, at, period }) => {
    expect(shown(periodAt(schedule({ anchor: 'calendar', interval, timezone }), instant(at)))).toEqual(period)
  })

  test('hours stay 60 minutes when clocks go back', () => {
    const of = schedule({ anchor: 'calendar', interval: 'hour', timezone: 'America/New_York' })
    expect(boundaries(of, '2023-11-05T05:30:00Z', 3)).toEqual(['2023-11-05T05:00:00Z', '2023-11-05T06:00:00Z', '2023-11-05T07:00:00Z'])
  })
})

describe('the first period', () => {
  const of = schedule({ interval: 'month', anchor: 'calendar', from: '2023-11-10T12:00:00Z' })

  test('begins when the schedule does', () => {
    expect(shown(periodAt(of, of.fromMs))).toEqual(['2023-11-10T12:00:00Z', '2023-12-01'])
    expect(previousPeriod(of, periodAt(of, of.fromMs))).toBeNull()
  })

  test('never holds what came before', () => {
    expect(shown(periodAt(of, (of.fromMs - 1) as InstantMs))).toEqual(['2023-11-01', '2023-11-10T12:00:00Z'])
  })

  test('is followed by a whole one, whose previous one it is', () => {
    const first = periodAt(of, of.fromMs)
    const second = nextPeriod(of, first)
    expect(shown(second)).toEqual(['2023-12-01', '2024-01-01'])
    expect(second && previousPeriod(of, second)).toEqual(first)
  })

  test('is the only one when usage never resets', () => {
    const never = schedule({ interval: 'never', from: '2023-11-10' })
    const period = periodAt(never, instant('2050-01-01'))
    expect(shown(period)).toEqual(['2023-11-10', 'never'])
    expect([previousPeriod(never, period), nextPeriod(never, period)]).toEqual([null, null])
    expect(periodAt(never, instant('2023-11-09')).endMs).toBe(never.fromMs)
  })
})

const INTERVALS = ['hour', 'day', 'week', '28days', 'month', 'quarter', '3months', '6months', 'year', 'never'] as const
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Apia']
const instants = fc.integer({ min: instant('1972-01-01'), max: instant('2072-01-01') }).map((ms) => ms as InstantMs)
const schedules: fc.Arbitrary<ResetSchedule> = fc.record({
  interval: fc.constantFrom(...INTERVALS),
  anchor: fc.constantFrom('subscription', 'calendar'),
  anchorMs: instants,
  fromMs: instants,
  timezone: fc.constantFrom(...ZONES),
})

describe('every schedule', () => {
  test('tiles time: a period holds its instant and ends where the next begins', () => {
    fc.assert(
      fc.property(schedules, instants, (of, atMs) => {
        const period = periodAt(of, atMs)
        expect(period.startMs).toBeLessThanOrEqual(atMs)
        expect(period.endMs).toBeGreaterThan(atMs)
        expect(periodAt(of, period.startMs)).toEqual(period)
        expect(periodAt(of, (period.endMs - 1) as InstantMs)).toEqual(period)
        if (period.endMs < END_OF_TIME_MS) expect(periodAt(of, period.endMs).startMs).toBe(period.endMs)
        if (of.interval !== 'never') expect(periodAt(of, (period.startMs - 1) as InstantMs).endMs).toBe(period.startMs)
      }),
      { numRuns: inLongRun(2000, 400) },
    )
  })

  test('clips at its beginning: no period reaches across', () => {
    fc.assert(
      fc.property(schedules, instants, (of, atMs) => {
        const { startMs, endMs } = periodAt(of, atMs)
        expect(atMs < of.fromMs ? endMs <= of.fromMs : startMs >= of.fromMs).toBe(true)
      }),
    )
  })

  test('answers through a cursor as without', () => {
    fc.assert(
      fc.property(schedules, fc.array(instants), fc.array(fc.integer({ min: -7_200_000, max: 7_200_000 })), (of, far, steps) => {
        const cursor = createPeriodCursor(of)
        const near = steps.map((stepMs) => (of.fromMs + stepMs) as InstantMs)
        for (const atMs of [...far, ...near]) expect(cursor.at(atMs)).toEqual(periodAt(of, atMs))
      }),
    )
  })

  test('gives one and the same object while a cursor stays in a period', () => {
    const cursor = createPeriodCursor(schedule({ interval: 'month' }))
    expect(cursor.at(instant('2023-05-20'))).toBe(cursor.at(instant('2023-05-02')))
  })
})

test('month arithmetic agrees with an independent calendar', () => {
  fc.assert(
    fc.property(instants, fc.integer({ min: -600, max: 600 }), fc.constantFrom(1, 3, 6, 12), (anchorMs, index, step) => {
      const interval = ({ 1: 'month', 3: 'quarter', 6: '6months', 12: 'year' } as const)[step as 1 | 3 | 6 | 12]
      const expected = DateTime.fromMillis(anchorMs, { zone: 'utc' }).plus({ months: index * step })
      const of: ResetSchedule = { interval, anchor: 'subscription', anchorMs, fromMs: instant('1000-01-01'), timezone: 'UTC' }
      expect(periodAt(of, expected.toMillis() as InstantMs).startMs).toBe(expected.toMillis())
    }),
  )
})

describe('billingPeriodAt', () => {
  const never = null
  test.each<{
    interval: (typeof PLAN_INTERVALS)[number]
    anchor: string
    start: string
    end: string | null
    at: string
    period: [string, string]
  }>([
    { interval: 'month', anchor: '2023-01-31', start: '2023-01-31', end: never, at: '2023-03-01', period: ['2023-02-28', '2023-03-31'] },
    { interval: 'month', anchor: '2023-01-01', start: '2023-01-20', end: never, at: '2023-01-25', period: ['2023-01-20', '2023-02-01'] },
    { interval: 'month', anchor: '2023-02-01', start: '2023-01-20', end: never, at: '2023-01-25', period: ['2023-01-20', '2023-02-01'] },
    { interval: 'month', anchor: '2023-02-01', start: '2023-01-20', end: never, at: '2023-02-01', period: ['2023-02-01', '2023-03-01'] },
    { interval: 'week', anchor: '2023-03-01', start: '2023-01-20', end: never, at: '2023-01-24', period: ['2023-01-20', '2023-01-25'] },
    { interval: 'week', anchor: '2023-03-01', start: '2023-01-20', end: never, at: '2023-01-25', period: ['2023-01-25', '2023-02-01'] },
    {
      interval: 'month',
      anchor: '2023-01-01',
      start: '2023-01-01',
      end: '2023-02-10',
      at: '2023-02-05',
      period: ['2023-02-01', '2023-02-10'],
    },
    {
      interval: 'month',
      anchor: '2023-01-01',
      start: '2023-01-01',
      end: '2023-02-10',
      at: '2023-09-01',
      period: ['2023-02-01', '2023-02-10'],
    },
    {
      interval: 'month',
      anchor: '2023-01-01',
      start: '2023-01-01',
      end: '2023-02-01',
      at: '2023-02-01',
      period: ['2023-01-01', '2023-02-01'],
    },
    {
      interval: 'month',
      anchor: '2023-02-01',
      start: '2023-01-20',
      end: '2023-01-22',
      at: '2023-01-21',
      period: ['2023-01-20', '2023-01-22'],
    },
    { interval: 'month', anchor: '2023-01-01', start: '2023-01-20', end: never, at: '2022-06-01', period: ['2023-01-20', '2023-02-01'] },
    { interval: 'once', anchor: '2023-01-01', start: '2023-01-20', end: never, at: '2029-01-01', period: ['2023-01-20', 'never'] },
    {
      interval: 'once',
      anchor: '2023-01-01',
      start: '2023-01-20',
      end: '2024-01-01',
      at: '2023-06-01',
      period: ['2023-01-20', '2024-01-01'],
    },
    {
      interval: 'month',
      anchor: '2023-01-01',
      start: '2023-01-20',
      end: '2023-01-20',
      at: '2023-01-20',
      period: ['2023-01-20', '2023-01-20'],
    },
  ])('$interval from $anchor, $start to $end, at $at', ({ interval, anchor, start, end, at, period }) => {
    const endMs = end === null ? null : instant(end)
    expect(shown(billingPeriodAt(interval, instant(anchor), instant(start), endMs, instant(at)))).toEqual(period)
  })

  test('tiles the subscription from start to end', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PLAN_INTERVALS),
        instants,
        instants,
        fc.integer({ min: 1, max: 100 * 86_400_000 }),
        (interval, anchorMs, startMs, lengthMs) => {
          const endMs = (startMs + lengthMs) as InstantMs
          let atMs: InstantMs = startMs
          while (atMs < endMs) {
            const period = billingPeriodAt(interval, anchorMs, startMs, endMs, atMs)
            expect(period.startMs).toBe(atMs)
            expect(period.endMs).toBeGreaterThan(atMs)
            atMs = period.endMs
          }
          expect(atMs).toBe(endMs)
        },
      ),
    )
  })
})
