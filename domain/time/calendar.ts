import { IANAZone } from 'luxon'
import { invariant, unreachable } from '../../base/invariant.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../identity.ts'
import { DAY_MS, HOUR_MS } from './durations.ts'
import type { PlanInterval } from './intervals.ts'
import type { ResetSchedule } from './reset-schedule.ts'

/**
 * The period of the schedule that holds the instant. Periods tile time: half-open, each begins where the last one ended.
 * The first is clipped to begin at `fromMs`. An instant before that lies in a period that ends at `fromMs` at the latest,
 * so an event from before the entitlement never counts into its first period.
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
 * The billing period of a subscription that holds the instant: its cell, clipped at the subscription's start and end.
 * Instants before the start or from the end on answer the first or last period. `timezone` is an IANA name.
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
 * The whole period of the anchor's grid that holds the instant. The grid is drawn backwards from the anchor too, so a
 * subscription that starts before its anchor has whole periods up to it and one that is cut at its start.
 */
export function billingCellAt(interval: Exclude<PlanInterval, 'once'>, anchorMs: InstantMs, atMs: InstantMs, timezone = 'UTC'): Period {
  const fromMs = START_OF_TIME_MS
  return clippedPeriod(gridOf({ interval, anchor: 'subscription', anchorMs, fromMs, timezone }), fromMs, atMs)
}

/** Where a period without a beginning begins: 0001-01-01T00:00:00Z. */
const START_OF_TIME_MS = -62_135_596_800_000 as InstantMs
/** Monday, 1970-01-05: calendar weeks (ISO 8601) and blocks of 28 days count from here. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** Boundaries numbered without end in both directions, never descending. `estimate` is off by a few at most. */
type Grid = { boundary(index: number): number; estimate(atMs: number): number }

function clippedPeriod(grid: Grid | null, fromMs: InstantMs, atMs: InstantMs): Period {
  let startMs: number = START_OF_TIME_MS
  let endMs: number = END_OF_TIME_MS
  if (grid !== null) {
    let index = grid.estimate(atMs)
    startMs = grid.boundary(index)
    while (startMs > atMs) startMs = grid.boundary(--index)
    endMs = grid.boundary(++index)
    while (endMs <= atMs) {
      startMs = endMs
      endMs = grid.boundary(++index)
    }
  }
  if (startMs < fromMs && fromMs <= atMs) startMs = fromMs
  if (atMs < fromMs && fromMs < endMs) endMs = fromMs
  return { startMs: startMs as InstantMs, endMs: endMs as InstantMs }
}

/** Null for a schedule that never resets. */
function gridOf(schedule: ResetSchedule): Grid | null {
  const zone = zoneOf(schedule.timezone)
  switch (schedule.interval) {
    case 'never':
      return null
    case 'hour':
      return hours(schedule, zone)
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

/**
 * Hours last 60 minutes whatever the clocks do. On the calendar they begin when the zone's clocks, as set at `fromMs`,
 * show a full hour; only a zone that shifts by part of an hour (Lord Howe Island) then leaves that grid.
 */
function hours(schedule: ResetSchedule, zone: IANAZone | null): Grid {
  const originMs = schedule.anchor === 'subscription' ? schedule.anchorMs : -offsetMs(zone, schedule.fromMs)
  return {
    boundary: (index) => originMs + index * HOUR_MS,
    estimate: (atMs) => Math.floor((atMs - originMs) / HOUR_MS),
  }
}

/** Days are the local calendar's: 23 or 25 hours long when the clocks change. */
function days(stepDays: number, schedule: ResetSchedule, zone: IANAZone | null, calendarOriginMs: number): Grid {
  const stepMs = stepDays * DAY_MS
  const originMs = schedule.anchor === 'subscription' ? localMs(zone, schedule.anchorMs) : calendarOriginMs
  return {
    boundary: (index) => instantOfLocal(zone, originMs + index * stepMs),
    estimate: (atMs) => Math.floor((localMs(zone, atMs) - originMs) / stepMs),
  }
}

/** Always counted from the origin, never from the last boundary: a clamped 28 Feb goes back to 31 Mar. */
function months(stepMonths: number, schedule: ResetSchedule, zone: IANAZone | null): Grid {
  const originMs = schedule.anchor === 'subscription' ? localMs(zone, schedule.anchorMs) : 0
  const originDays = Math.floor(originMs / DAY_MS)
  const timeOfDayMs = originMs - originDays * DAY_MS
  const { monthNumber: originMonth, day } = dateOfDays(originDays)
  return {
    boundary(index) {
      const month = originMonth + index * stepMonths
      const firstDays = daysOfMonth(month)
      const lastDays = daysOfMonth(month + 1) - 1
      return instantOfLocal(zone, Math.min(firstDays + day - 1, lastDays) * DAY_MS + timeOfDayMs)
    },
    estimate(atMs) {
      const { monthNumber } = dateOfDays(Math.floor(localMs(zone, atMs) / DAY_MS))
      return Math.floor((monthNumber - originMonth) / stepMonths)
    },
  }
}

/** Whether it is a name of the IANA database that this system knows. */
export function isTimeZone(name: string): boolean {
  return IANAZone.isValidZone(name)
}

/** Null for UTC, which needs arithmetic only. */
function zoneOf(timezone: string): IANAZone | null {
  if (timezone === 'UTC' || timezone === 'Etc/UTC') return null
  const zone = IANAZone.create(timezone)
  invariant(zone.isValid, `the schedule's timezone is an IANA name, and '${timezone}' is none`)
  return zone
}

function offsetMs(zone: IANAZone | null, atMs: number): number {
  return zone === null ? 0 : zone.offset(atMs) * 60_000
}

/** The instant's wall clock reading in the zone, written as if it were UTC. */
function localMs(zone: IANAZone | null, atMs: number): number {
  return atMs + offsetMs(zone, atMs)
}

/**
 * The instant at which the zone's clocks show this reading: the earlier one of a reading shown twice; for a reading that
 * is skipped as much later as the clocks jump, as java.time resolves it. A skipped midnight is thus the jump itself.
 */
function instantOfLocal(zone: IANAZone | null, wallMs: number): number {
  if (zone === null) return wallMs
  const offsetBeforeMs = offsetMs(zone, wallMs - DAY_MS)
  const earlierMs = wallMs - offsetBeforeMs
  if (offsetMs(zone, earlierMs) === offsetBeforeMs) return earlierMs
  const offsetAfterMs = offsetMs(zone, wallMs + DAY_MS)
  const laterMs = wallMs - offsetAfterMs
  return offsetMs(zone, laterMs) === offsetAfterMs ? laterMs : earlierMs
}

/**
 * Days since 1970-01-01 of the first of a month of the proleptic Gregorian calendar; `monthNumber` is year * 12 + month
 * with January 0. Integer arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", as is the
 * inverse below: an era is 400 years of 146,097 days, and years begin in March so that the leap day comes last.
 */
function daysOfMonth(monthNumber: number): number {
  const monthFromMarch = monthNumber - 2
  const year = Math.floor(monthFromMarch / 12)
  const month = monthFromMarch - year * 12
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = Math.floor((153 * month + 2) / 5)
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

function dateOfDays(daysSinceEpoch: number): { readonly monthNumber: number; readonly day: number } {
  const shifted = daysSinceEpoch + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  return { monthNumber: (era * 400 + yearOfEra) * 12 + month + 2, day }
}
