import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { sampledZones } from '../../test/support/time-zones.ts'
import type { InstantMs } from '../identity.ts'
import { periodAt } from './calendar.ts'
import { CALENDAR_WINDOWS, type CalendarWindow, calendarWindowAt, windowRuns, windowStartIn } from './calendar-windows.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './durations.ts'
import { timeZone } from './time-zone.ts'

const at = (text: string) => Date.parse(text) as InstantMs
const shown = ({ startMs, endMs }: { startMs: number; endMs: number }) =>
  [startMs, endMs].map((ms) => new Date(ms).toISOString().slice(0, 16))

describe('windows of the calendar', () => {
  test.each<[string, CalendarWindow, string, string, readonly [string, string]]>([
    ['clocks of British Columbia stay', 'day', 'America/Vancouver', '2026-11-20T07:30:00Z', ['2026-11-20T07:00', '2026-11-21T07:00']],
    [
      'clocks on by half an hour: a short hour',
      'hour',
      'Australia/Lord_Howe',
      '2026-10-03T15:40:00Z',
      ['2026-10-03T15:30', '2026-10-03T16:00'],
    ],
    ['the hour after it', 'hour', 'Australia/Lord_Howe', '2026-10-03T16:40:00Z', ['2026-10-03T16:00', '2026-10-03T17:00']],
    [
      'clocks back by half an hour: a long hour',
      'hour',
      'Australia/Lord_Howe',
      '2026-04-04T15:10:00Z',
      ['2026-04-04T14:00', '2026-04-04T15:30'],
    ],
    ['an hour shown twice is two', 'hour', 'Europe/Berlin', '2026-10-25T00:10:00Z', ['2026-10-25T00:00', '2026-10-25T01:00']],
    ['the second of them', 'hour', 'Europe/Berlin', '2026-10-25T01:10:00Z', ['2026-10-25T01:00', '2026-10-25T02:00']],
    ['midnight is skipped', 'day', 'Asia/Beirut', '2026-03-29T10:00:00Z', ['2026-03-28T22:00', '2026-03-29T21:00']],
    ['midnight is shown twice', 'day', 'America/Havana', '2026-11-01T04:30:00Z', ['2026-11-01T04:00', '2026-11-02T05:00']],
    ['weeks begin on Monday', 'week', 'Europe/Berlin', '2026-12-01T00:00:00Z', ['2026-11-29T23:00', '2026-12-06T23:00']],
    ['a month', 'month', 'Asia/Kathmandu', '2026-02-10T00:00:00Z', ['2026-01-31T18:15', '2026-02-28T18:15']],
    ['before 1970', 'day', 'America/New_York', '1969-12-31T12:00:00Z', ['1969-12-31T05:00', '1970-01-01T05:00']],
  ])('%s', (_, window, timezone, instant, expected) => {
    expect(shown(calendarWindowAt(window, timezone, at(instant)))).toEqual(expected)
  })

  test('around every jump of the clocks from 2015 to 2030 windows tile, are whole minutes, and are those of the wall clock', () => {
    for (const timezone of sampledZones(inLongRun(Number.POSITIVE_INFINITY, 4))) {
      const zone = timeZone(timezone)
      for (let { endMs } = zone.spanAt(at('2015-01-01T00:00:00Z')); endMs < at('2031-01-01T00:00:00Z'); { endMs } = zone.spanAt(endMs)) {
        for (const window of CALENDAR_WINDOWS) {
          const reach = { minute: 3 * MINUTE_MS, hour: 4 * HOUR_MS, day: 3 * DAY_MS, week: 8 * DAY_MS, month: 32 * DAY_MS }[window]
          let previousEndMs: number | null = null
          for (let atMs = (endMs - reach) as InstantMs; atMs < endMs + reach; ) {
            const { startMs, endMs: nextMs } = calendarWindowAt(window, timezone, atMs)
            const where = `${window} in ${timezone} at ${new Date(atMs).toISOString()}`
            if (startMs > atMs || nextMs <= atMs || startMs % MINUTE_MS !== 0) expect.fail(`${where}: ${shown({ startMs, endMs: nextMs })}`)
            if (previousEndMs !== null && startMs !== previousEndMs) expect.fail(`${where}: does not follow the last`)
            for (const inMs of [startMs, Math.floor((startMs + nextMs) / 2), nextMs - 1] as InstantMs[]) {
              const again = calendarWindowAt(window, timezone, inMs)
              if (again.startMs !== startMs || again.endMs !== nextMs)
                expect.fail(`${where}: not the same at ${new Date(inMs).toISOString()}`)
            }
            const luxon = DateTime.fromMillis(startMs, { zone: timezone })
            if (window !== 'hour' && window !== 'minute' && luxon.startOf(window).toMillis() !== startMs) expect.fail(`${where}: luxon`)
            previousEndMs = nextMs
            atMs = nextMs
          }
        }
      }
    }
  })

  test('runs hold the windows of any time, whatever cuts it', () => {
    const zones = sampledZones(inLongRun(Number.POSITIVE_INFINITY, 20))
    const instant = fc.integer({ min: at('2014-01-01T00:00:00Z'), max: at('2031-01-01T00:00:00Z') })
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...CALENDAR_WINDOWS),
        instant,
        instant,
        fc.nat(),
        (timezone, window, a, b, within) => {
          const [fromMs, toMs] = [Math.min(a, b), Math.max(a, b) + 1] as [InstantMs, InstantMs]
          const runs = windowRuns(window, timezone, fromMs, toMs)
          const atMs = (fromMs + (within % (toMs - fromMs))) as InstantMs
          expect(windowStartIn(runs, atMs)).toBe(calendarWindowAt(window, timezone, atMs).startMs)
          expect(windowStartIn(runs, fromMs)).toBe(calendarWindowAt(window, timezone, fromMs).startMs)
          expect(windowStartIn(runs, (toMs - 1) as InstantMs)).toBe(calendarWindowAt(window, timezone, (toMs - 1) as InstantMs).startMs)
        },
      ),
      { numRuns: inLongRun(20_000, 300) },
    )
  })

  test('all time that can be stored is some thousand runs at most', () => {
    for (const timezone of ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Casablanca']) {
      for (const window of CALENDAR_WINDOWS) {
        expect(windowRuns(window, timezone, 0 as InstantMs, at('2106-01-01T00:00:00Z')).length).toBeLessThan(2_000)
      }
    }
  })

  test('periods that reset on the calendar are the same', () => {
    const instant = fc.integer({ min: at('2015-01-01T00:00:00Z'), max: at('2031-01-01T00:00:00Z') })
    const zones = sampledZones(20)
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.constantFrom('hour', 'day', 'week', 'month'), instant, (timezone, interval, ms) => {
        const schedule = { interval, timezone, anchor: 'calendar', anchorMs: 0 as InstantMs, fromMs: 0 as InstantMs } as const
        expect(periodAt(schedule, ms as InstantMs)).toEqual(calendarWindowAt(interval, timezone, ms as InstantMs))
      }),
      { numRuns: inLongRun(5_000, 200) },
    )
  })
})
