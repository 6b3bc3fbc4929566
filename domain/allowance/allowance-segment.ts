import { invariant } from '../../base/invariant.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../identity.ts'
import { createPeriodCursor, type PeriodCursor, periodAt } from '../time/calendar.ts'
import { DAY_MS, HOUR_MS } from '../time/durations.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'
import { type Grant, grantEndMs } from './grant.ts'
import { allowanceIn, type PlanAllowance } from './plan-allowance.ts'

/**
 * A stretch of time in which the same sources burn: cut at every reset and wherever a grant begins or ends. Usage is counted per
 * segment, by event time; the order of events inside a segment does not matter.
 */
export type AllowanceSegment = Period & {
  /** What the start of the segment does to the plan's allowance. */
  readonly opens: 'scheduled_reset' | 'manual_reset' | null
  /** The whole schedule period that the segment lies in. */
  readonly schedulePeriod: Period
}

/** Everything that decides where time is cut, and which sources burn. */
export type AllowanceHistory = {
  readonly schedule: ResetSchedule
  /** In any order. */
  readonly allowances: readonly PlanAllowance[]
  readonly grants: readonly Grant[]
  readonly manualResetsMs: readonly InstantMs[]
}

/** Where earlier segments were folded up: nothing before that instant is looked at again. */
export type CutFrom = { readonly atMs: InstantMs; readonly grants: readonly { readonly id: Grant['id'] }[] }

export type SegmentCut = {
  /** In order, adjoining, at most `segmentsMax`. The last one holds `nowMs` unless `mustFold`. */
  readonly segments: readonly AllowanceSegment[]
  /** Cuts besides the schedule's own, from the first segment on, future ones too: together with the schedule they give the segment of any event. */
  readonly boundariesMs: readonly InstantMs[]
  /** True when there are too many segments: fold these, the oldest, into an opening and cut again. */
  readonly mustFold: boolean
}

export type SegmentBounds = { readonly segmentsMax: number; readonly segmentsKept: number }

export const SEGMENTS_MAX = 1000
/** More hourly segments than 35 days have: whatever the schedule, an event that is accepted late still finds its segment. */
export const SEGMENTS_KEPT = 900

/** The segments whose usage decides the state at `nowMs`, and no earlier ones. `nowMs` is not before the schedule begins. */
export function cutSegments(
  history: AllowanceHistory,
  from: CutFrom | null,
  nowMs: InstantMs,
  bounds: SegmentBounds = { segmentsMax: SEGMENTS_MAX, segmentsKept: SEGMENTS_KEPT },
): SegmentCut {
  invariant(nowMs >= history.schedule.fromMs, 'a balance is asked for once its schedule has begun')
  const startMs = earliestStartMs(history, from, nowMs)
  const boundariesMs = boundariesFrom(history, startMs)
  const segments = segmentsBetween(history, boundariesMs, { fromMs: startMs, nowMs, countMax: bounds.segmentsMax + bounds.segmentsKept })
  if (segments.length <= bounds.segmentsMax) return { segments, boundariesMs, mustFold: false }
  const foldedSegments = Math.min(segments.length - bounds.segmentsKept, bounds.segmentsMax)
  return { segments: segments.slice(0, foldedSegments), boundariesMs, mustFold: true }
}

/** The segment that an event belongs to; `boundariesMs` are ascending. */
export function segmentAt(schedule: ResetSchedule, boundariesMs: readonly InstantMs[], atMs: InstantMs): Period {
  const period = periodAt(schedule, atMs)
  const next = upperBound(boundariesMs, atMs)
  const startMs = Math.max(period.startMs, boundariesMs[next - 1] ?? period.startMs) as InstantMs
  const endMs = Math.min(period.endMs, boundariesMs[next] ?? period.endMs) as InstantMs
  return { startMs, endMs }
}

/** All grants that ever existed, without those whose end the opening has seen. */
export function grantsSince({ grants }: AllowanceHistory, from: CutFrom | null): Grant[] {
  const known = new Set(from?.grants.map(({ id }) => id))
  const isKnown = (grant: Grant) => from === null || grant.effectiveAtMs >= from.atMs || known.has(grant.id)
  return grants.filter((grant) => grant.effectiveAtMs < grantEndMs(grant) && isKnown(grant))
}

/**
 * A reset makes the allowance new, so usage before the last one matters only through what outlives a reset: a grant that existed
 * before it (and every grant that burned beside that one), and units that roll over.
 */
function earliestStartMs(history: AllowanceHistory, from: CutFrom | null, nowMs: InstantMs): InstantMs {
  const floorMs = from?.atMs ?? history.schedule.fromMs
  const rolloverFloorMs = earliestRolloverMs(history.schedule, nowMs)
  const periods = createPeriodCursor(history.schedule)
  const grants = grantsSince(history, from)
  let startMs = lastResetMs(history, nowMs)
  for (;;) {
    if (startMs <= floorMs) return floorMs
    const ofRolloverMs = startMs > rolloverFloorMs ? neededByRollover(history, periods, startMs, nowMs) : startMs
    const neededMs = Math.min(neededByGrants(history, grants, startMs, nowMs), ofRolloverMs)
    if (neededMs >= startMs) return startMs
    startMs = neededMs as InstantMs
  }
}

/**
 * Rolled units are followed back through 850 to 1,700 periods, whenever the subscription began: a period without usage forgets
 * all that rolled over before it, and one with usage forgets most of it. The instant stays the same for 850 periods, so that
 * processes agree; a customer who is there for longer goes on from an opening, which followed all of them.
 */
function earliestRolloverMs(schedule: ResetSchedule, nowMs: InstantMs): InstantMs {
  if (schedule.interval === 'never') return schedule.fromMs
  const blockMs = ROLLOVER_PERIODS * LENGTH_MS[schedule.interval]
  const earliestMs = ((Math.floor(nowMs / blockMs) - 1) * blockMs) as InstantMs
  return earliestMs <= schedule.fromMs ? schedule.fromMs : periodAt(schedule, earliestMs).startMs
}

/** More hours than 35 days have, as the segment of an event that is accepted late is looked for. */
const ROLLOVER_PERIODS = 850

/** The length of a usual period. */
const LENGTH_MS: Readonly<Record<Exclude<ResetSchedule['interval'], 'never'>, number>> = {
  hour: HOUR_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  '28days': 28 * DAY_MS,
  month: 30 * DAY_MS,
  quarter: 91 * DAY_MS,
  '3months': 91 * DAY_MS,
  '6months': 182 * DAY_MS,
  year: 365 * DAY_MS,
}

function neededByGrants(history: AllowanceHistory, grants: readonly Grant[], startMs: InstantMs, nowMs: InstantMs): number {
  let neededMs: number = startMs
  for (const grant of grants) {
    const livesOn = grant.effectiveAtMs < startMs && grantEndMs(grant) > startMs && grant.effectiveAtMs <= nowMs
    if (livesOn) neededMs = Math.min(neededMs, lastResetMs(history, Math.max(grant.effectiveAtMs, history.schedule.fromMs)))
  }
  return neededMs
}

function neededByRollover({ schedule, allowances }: AllowanceHistory, periods: PeriodCursor, startMs: InstantMs, nowMs: InstantMs): number {
  const current = periods.at(startMs)
  if (current.startMs <= schedule.fromMs) return startMs
  const before = periods.at((current.startMs - 1) as InstantMs)
  return allowanceIn(allowances, before, nowMs).rollover === null ? startMs : before.startMs
}

function lastResetMs({ schedule, manualResetsMs }: AllowanceHistory, atMs: number): InstantMs {
  let resetMs = periodAt(schedule, atMs as InstantMs).startMs
  for (const manualMs of manualResetsMs) if (manualMs <= atMs && manualMs > resetMs) resetMs = manualMs
  return resetMs
}

/** The start itself is a boundary where the schedule alone would not cut. */
function boundariesFrom({ schedule, grants, manualResetsMs }: AllowanceHistory, startMs: InstantMs): InstantMs[] {
  const ofStart = periodAt(schedule, startMs).startMs === startMs ? [] : [startMs]
  const ofGrants = grants.flatMap((grant) => {
    const endMs = grantEndMs(grant)
    return grant.effectiveAtMs < endMs ? [grant.effectiveAtMs, endMs] : []
  })
  const later = [...ofGrants, ...manualResetsMs].filter((atMs) => atMs > startMs && Number.isFinite(atMs))
  return [...new Set([...ofStart, ...later])].sort((a, b) => a - b) as InstantMs[]
}

function segmentsBetween(
  { schedule, manualResetsMs }: AllowanceHistory,
  boundariesMs: readonly InstantMs[],
  { fromMs, nowMs, countMax }: { readonly fromMs: InstantMs; readonly nowMs: InstantMs; readonly countMax: number },
): AllowanceSegment[] {
  const manual = new Set(manualResetsMs)
  const segments: AllowanceSegment[] = []
  const periods = createPeriodCursor(schedule)
  let schedulePeriod = periods.at(fromMs)
  let startMs = fromMs
  let next = 0
  // More than these are folded before any after them is looked at.
  while (startMs <= nowMs && segments.length < countMax) {
    if (startMs >= schedulePeriod.endMs) {
      if (schedulePeriod.endMs >= END_OF_TIME_MS) break
      schedulePeriod = periods.at(schedulePeriod.endMs)
    }
    while ((boundariesMs[next] ?? Number.POSITIVE_INFINITY) <= startMs) next++
    const endMs = Math.min(schedulePeriod.endMs, boundariesMs[next] ?? schedulePeriod.endMs) as InstantMs
    const isScheduled = startMs === schedulePeriod.startMs
    segments.push({ startMs, endMs, schedulePeriod, opens: isScheduled ? 'scheduled_reset' : manual.has(startMs) ? 'manual_reset' : null })
    startMs = endMs
  }
  return segments
}

/** How many of the ascending instants are at or before `atMs`. */
function upperBound(instants: readonly InstantMs[], atMs: InstantMs): number {
  let low = 0
  let high = instants.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((instants[middle] ?? Number.POSITIVE_INFINITY) <= atMs) low = middle + 1
    else high = middle
  }
  return low
}
