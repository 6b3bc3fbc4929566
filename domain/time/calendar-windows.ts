import { invariant } from '../../base/invariant.ts'
import type { InstantMs, Period } from '../identity.ts'
import { periodAt } from './calendar.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './durations.ts'
import type { ResetSchedule } from './reset-schedule.ts'
import { timeZone } from './time-zone.ts'

/** Weeks begin on Monday. */
export const CALENDAR_WINDOWS = ['minute', 'hour', 'day', 'week', 'month'] as const
export type CalendarWindow = (typeof CALENDAR_WINDOWS)[number]

/** The calendar window that holds the instant. Windows tile time and are whole minutes; `timezone` is an IANA name. */
export function calendarWindowAt(window: CalendarWindow, timezone: string, atMs: InstantMs): Period {
  if (window === 'minute') {
    const startMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS
    return { startMs: startMs as InstantMs, endMs: (startMs + MINUTE_MS) as InstantMs }
  }
  return periodAt(calendarSchedule(window, timezone), atMs)
}

/** Adjoining windows of one length: they begin at `startMs`, `startMs + lengthMs`, and so on until the next run begins. */
export type WindowRun = { readonly startMs: InstantMs; readonly lengthMs: number }

/**
 * All windows from the one that holds `fromMs` to the one that holds the last millisecond before `toMs`, ascending. Window
 * lengths change only where clocks jump, so a year of hours or days is some five runs, and a year of months twelve.
 */
export function windowRuns(window: CalendarWindow, timezone: string, fromMs: InstantMs, toMs: InstantMs): readonly WindowRun[] {
  const zone = timeZone(timezone)
  const usualMs = USUAL_LENGTH_MS[window]
  const runs: WindowRun[] = []
  let atMs = fromMs
  while (atMs < toMs) {
    const { startMs, endMs } = calendarWindowAt(window, timezone, atMs)
    const lengthMs = endMs - startMs
    const last = runs.at(-1)
    if (last === undefined || last.lengthMs !== lengthMs || (startMs - last.startMs) % lengthMs !== 0) runs.push({ startMs, lengthMs })
    // Windows keep their usual length until the clocks jump.
    const jumpMs = lengthMs === usualMs ? Math.min(zone.spanAt(startMs).endMs, toMs) : endMs
    atMs = (startMs + Math.max(1, Math.floor((jumpMs - startMs) / lengthMs)) * lengthMs) as InstantMs
  }
  return runs
}

/** The start of the run's window that holds the instant, which is not before the first run. */
export function windowStartIn(runs: readonly WindowRun[], atMs: InstantMs): InstantMs {
  const run = runs.findLast(({ startMs }) => startMs <= atMs)
  invariant(run !== undefined, 'the instant is not before the first window')
  return (atMs - ((atMs - run.startMs) % run.lengthMs)) as InstantMs
}

const USUAL_LENGTH_MS: Readonly<Record<CalendarWindow, number | null>> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: null,
}

function calendarSchedule(interval: Exclude<CalendarWindow, 'minute'>, timezone: string): ResetSchedule {
  return { interval, timezone, anchor: 'calendar', anchorMs: 0 as InstantMs, fromMs: Number.NEGATIVE_INFINITY as InstantMs }
}
