import { unreachable } from '../../base/invariant.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../identity.ts'
import { dateOfDays, daysOfMonth } from './dates.ts'
import { DAY_MS, HOUR_MS } from './durations.ts'
import type { PlanInterval } from './intervals.ts'
import { firstAtOrPast, instantOfLocal, localMs } from './local-time.ts'
import type { ResetSchedule } from './reset-schedule.ts'
import { type TimeZone, timeZone } from './time-zone.ts'

/**
 * The period of the schedule that holds the instant. Periods tile time: half-open, each begins where the last one ended. The
 * first is clipped to begin at `fromMs`. An instant before that lies in a period that ends at `fromMs` at the latest, so an event
 * from before the entitlement never counts into its first period.
 */
export function periodAt(schedule: ResetSchedule, atMs: InstantMs): Period {
  return clippedPeriod(gridOf(schedule), schedule.fromMs, atMs)
}

/** The period before, or null when this one is the first. */
export function previousPeriod(schedule: ResetSchedule, period: Period): Period | null {
  return period.startMs <= schedule.fromMs ? null : periodAt(schedule, (period.startMs - 1) as InstantMs)
}

/** The period after, or null when this one never ends. */
export function nextPeriod(schedule: ResetSchedule, period: Period): Period | null {
  return period.endMs >= END_OF_TIME_MS ? null : periodAt(schedule, period.endMs)
}

/** `periodAt` for a stream of instants: neighbours mostly share a period, which is then compared and not computed. */
export type PeriodCursor = { at(atMs: InstantMs): Period }

export function createPeriodCursor(schedule: ResetSchedule): PeriodCursor {
  const grid = gridOf(schedule)
  let current: Period | null = null
  return {
    at(atMs) {
      if (current === null || atMs < current.startMs || atMs >= current.endMs) current = clippedPeriod(grid, schedule.fromMs, atMs)
      return current
    },
  }
}

/**
 * The billing period of a subscription that holds the instant: its cell, clipped at the subscription's start and end. Instants
 * outside of the subscription give the first or last period. `timezone` is an IANA name.
 */
export function billingPeriodAt(
  interval: PlanInterval,
  anchorMs: InstantMs,
  startMs: InstantMs,
  endMs: InstantMs | null,
  atMs: InstantMs,
  timezone = 'UTC',
): Period {
  const lastMs = endMs ?? END_OF_TIME_MS
  if (lastMs <= startMs) return { startMs, endMs: startMs }
  if (interval === 'once') return { startMs, endMs: lastMs }
  const insideMs = Math.max(startMs, Math.min(atMs, lastMs - 1)) as InstantMs
  const cell = billingCellAt(interval, anchorMs, insideMs, timezone)
  return { startMs: Math.max(cell.startMs, startMs) as InstantMs, endMs: Math.min(cell.endMs, lastMs) as InstantMs }
}

/**
 * The whole period of the anchor's grid that holds the instant. The grid extends backwards from the anchor too, so a subscription
 * that starts before its anchor has whole periods up to it and a clipped one at its start.
 */
export function billingCellAt(interval: Exclude<PlanInterval, 'once'>, anchorMs: InstantMs, atMs: InstantMs, timezone = 'UTC'): Period {
  const fromMs = START_OF_TIME_MS
  return clippedPeriod(gridOf({ interval, anchor: 'subscription', anchorMs, fromMs, timezone }), fromMs, atMs)
}

/** Where a period without a beginning begins: 0001-01-01T00:00:00Z. */
const START_OF_TIME_MS = -62_135_596_800_000 as InstantMs
/** Monday, 1970-01-05: calendar weeks (ISO 8601) and blocks of 28 days count from here. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** Cells that tile time: half-open, each begins where the last one ended. */
type Grid = { cellAt(atMs: number): { readonly startMs: number; readonly endMs: number } }

function clippedPeriod(grid: Grid | null, fromMs: InstantMs, atMs: InstantMs): Period {
  let { startMs, endMs } = grid === null ? ALL_TIME : grid.cellAt(atMs)
  if (startMs < fromMs && fromMs <= atMs) startMs = fromMs
  if (atMs < fromMs && fromMs < endMs) endMs = fromMs
  return { startMs: startMs as InstantMs, endMs: endMs as InstantMs }
}

const ALL_TIME: Period = { startMs: START_OF_TIME_MS, endMs: END_OF_TIME_MS }

/** Null for a schedule that never resets. */
function gridOf(schedule: ResetSchedule): Grid | null {
  const zone = timeZone(schedule.timezone)
  switch (schedule.interval) {
    case 'never':
      return null
    case 'hour':
      return schedule.anchor === 'calendar' ? hoursOfClocks(zone) : hoursFrom(schedule.anchorMs)
    case 'day':
      return days(1, schedule, zone, 0)
    case 'week':
      return days(7, schedule, zone, FIRST_MONDAY_MS)
    case '28days':
      return days(28, schedule, zone, FIRST_MONDAY_MS)
    case 'month':
      return months(1, schedule, zone)
    case 'quarter':
    case '3months':
      return months(3, schedule, zone)
    case '6months':
      return months(6, schedule, zone)
    case 'year':
      return months(12, schedule, zone)
    default:
      return unreachable(schedule.interval)
  }
}

/** Boundaries numbered without end in both directions, never descending. `estimate` is off by a few at most. */
function numberedGrid(boundary: (index: number) => number, estimate: (atMs: number) => number): Grid {
  return {
    cellAt(atMs) {
      let index = estimate(atMs)
      let startMs = boundary(index)
      while (startMs > atMs) startMs = boundary(--index)
      let endMs = boundary(++index)
      while (endMs <= atMs) {
        startMs = endMs
        endMs = boundary(++index)
      }
      return { startMs, endMs }
    },
  }
}

/** Counted from an anchor, hours last 60 minutes whatever the clocks do. */
function hoursFrom(originMs: number): Grid {
  return numberedGrid(
    (index) => originMs + index * HOUR_MS,
    (atMs) => Math.floor((atMs - originMs) / HOUR_MS),
  )
}

/**
 * Calendar hours begin whenever the clocks show a full hour, and where they jump into another one. So an hour that is shown twice
 * is two hours, and one in which the clocks are set back by half an hour (Lord Howe Island) lasts 90 minutes.
 */
function hoursOfClocks(zone: TimeZone): Grid {
  const hourOf = (wallMs: number) => Math.floor(wallMs / HOUR_MS)
  const isBegunBy = (jumpMs: number) => {
    const wallMs = localMs(zone, jumpMs)
    return wallMs % HOUR_MS === 0 || hourOf(wallMs) !== hourOf(localMs(zone, jumpMs - 1))
  }
  const startOf = (atMs: number): number => {
    const span = zone.spanAt(atMs)
    const fullMs = hourOf(atMs + span.offsetMs) * HOUR_MS - span.offsetMs
    if (fullMs >= span.startMs) return fullMs
    return isBegunBy(span.startMs) ? span.startMs : startOf(span.startMs - 1)
  }
  const endOf = (atMs: number): number => {
    const span = zone.spanAt(atMs)
    const fullMs = (hourOf(atMs + span.offsetMs) + 1) * HOUR_MS - span.offsetMs
    if (fullMs < span.endMs) return fullMs
    return isBegunBy(span.endMs) ? span.endMs : endOf(span.endMs)
  }
  return { cellAt: (atMs) => ({ startMs: startOf(atMs), endMs: endOf(atMs) }) }
}

/** Days are the local calendar's: 23 or 25 hours long when the clocks change. */
function days(stepDays: number, schedule: ResetSchedule, zone: TimeZone, calendarOriginMs: number): Grid {
  const stepMs = stepDays * DAY_MS
  const isAnchored = schedule.anchor === 'subscription'
  const originMs = isAnchored ? localMs(zone, schedule.anchorMs) : calendarOriginMs
  const instantOf = isAnchored ? instantOfLocal : firstAtOrPast
  return numberedGrid(
    (index) => instantOf(zone, originMs + index * stepMs),
    (atMs) => Math.floor((localMs(zone, atMs) - originMs) / stepMs),
  )
}

/** Always counted from the origin, never from the last boundary, so that a clamped 28 Feb goes back to 31 Mar. */
function months(stepMonths: number, schedule: ResetSchedule, zone: TimeZone): Grid {
  const isAnchored = schedule.anchor === 'subscription'
  const originMs = isAnchored ? localMs(zone, schedule.anchorMs) : 0
  const instantOf = isAnchored ? instantOfLocal : firstAtOrPast
  const originDays = Math.floor(originMs / DAY_MS)
  const timeOfDayMs = originMs - originDays * DAY_MS
  const { monthNumber: originMonth, day } = dateOfDays(originDays)
  return numberedGrid(
    (index) => {
      const month = originMonth + index * stepMonths
      const firstDays = daysOfMonth(month)
      const lastDays = daysOfMonth(month + 1) - 1
      return instantOf(zone, Math.min(firstDays + day - 1, lastDays) * DAY_MS + timeOfDayMs)
    },
    (atMs) => {
      const { monthNumber } = dateOfDays(Math.floor(localMs(zone, atMs) / DAY_MS))
      return Math.floor((monthNumber - originMonth) / stepMonths)
    },
  )
}
