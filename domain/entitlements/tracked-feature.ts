import { segmentAt } from '../allowance/allowance-segment.ts'
import type { FeatureKey, InstantMs, Period } from '../identity.ts'
import type { DimensionFilter } from '../metering/dimension-filter.ts'
import type { Meter } from '../metering/meter.ts'
import { createPeriodCursor, type PeriodCursor, periodAt, previousPeriod } from '../time/calendar.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'

/** A metered feature that a customer is entitled to, as the counters follow it. */
export type TrackedFeature = {
  readonly feature: FeatureKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly schedule: ResetSchedule
  /** Where counters start over besides the schedule's own periods, ascending; empty for most features. */
  readonly boundariesMs: readonly InstantMs[]
  /** What is left depends on all counters from here on; null when it depends on the current period's counter alone. */
  readonly keptFromMs: InstantMs | null
  /** Equal exactly when meter revision, filter and all fields above are: a counter kept under another definition must not be read. */
  readonly definition: string
}

/** How usage is counted and how the schedule cuts time. Canonical: order and repetition inside the filter do not matter. */
export function countingBasis(meter: Meter, filter: DimensionFilter, schedule: ResetSchedule): string {
  return JSON.stringify(basisParts(meter, filter, schedule))
}

export function trackedDefinition({ meter, filter, schedule, boundariesMs, keptFromMs }: Omit<TrackedFeature, 'definition'>): string {
  const basis = basisParts(meter, filter, schedule)
  return JSON.stringify(keptFromMs === null ? basis : [...basis, keptFromMs, boundariesMs])
}

/** The counter that an event belongs to; as cheap as a period look-up for features without boundaries. */
export function createPeriodLookup({ schedule, boundariesMs }: TrackedFeature): PeriodCursor {
  if (boundariesMs.length === 0) return createPeriodCursor(schedule)
  let current: Period | null = null
  return {
    at(atMs) {
      if (current === null || atMs < current.startMs || atMs >= current.endMs) current = segmentAt(schedule, boundariesMs, atMs)
      return current
    },
  }
}

/**
 * The counters to keep as of an instant: all from `keptFromMs` on; or the current period's and, as clocks differ a little, the
 * one before. In order and adjoining; the last one holds the instant or begins the schedule.
 */
export function keptPeriods(tracked: TrackedFeature, nowMs: InstantMs): readonly Period[] {
  const { schedule, keptFromMs } = tracked
  const lastMs = Math.max(nowMs, schedule.fromMs) as InstantMs
  if (keptFromMs === null) {
    const current = periodAt(schedule, lastMs)
    const previous = previousPeriod(schedule, current)
    return previous === null ? [current] : [previous, current]
  }
  const cursor = createPeriodLookup(tracked)
  const periods: Period[] = []
  for (let atMs = keptFromMs; atMs <= lastMs; ) {
    const period = cursor.at(atMs)
    periods.push(period)
    atMs = period.endMs
  }
  return periods
}

function basisParts(meter: Meter, filter: DimensionFilter, schedule: ResetSchedule): readonly unknown[] {
  const names = Object.keys(filter).sort()
  const canonicalFilter = names.map((name) => [name, [...new Set(filter[name])].sort()])
  const { interval, anchor, anchorMs, fromMs, timezone } = schedule
  return [meter.revision, canonicalFilter, interval, anchor, anchorMs, fromMs, timezone]
}
