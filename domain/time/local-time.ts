import { DAY_MS } from './durations.ts'
import type { TimeZone } from './time-zone.ts'

/** The instant's wall clock reading in the zone, written as if it were UTC. */
export function localMs(zone: TimeZone, atMs: number): number {
  return atMs + zone.spanAt(atMs).offsetMs
}

/**
 * The instant at which the zone's clocks show this local time: the earlier one of a time shown twice; for a skipped time as much
 * later as the clocks jump, as java.time resolves it.
 */
export function instantOfLocal(zone: TimeZone, wallMs: number): number {
  const firstMs = firstAtOrPast(zone, wallMs)
  const span = zone.spanAt(firstMs)
  return firstMs + span.offsetMs === wallMs ? firstMs : wallMs - zone.spanAt(span.startMs - 1).offsetMs
}

/** The first instant at which the zone's clocks show this local time or a later one: for a skipped midnight, the jump. */
export function firstAtOrPast(zone: TimeZone, wallMs: number): number {
  // No offset reaches a day, so at this instant the clocks do not show the time yet.
  let span = zone.spanAt(wallMs - DAY_MS)
  for (;;) {
    const atMs = Math.max(wallMs - span.offsetMs, span.startMs)
    if (atMs < span.endMs) return atMs
    span = zone.spanAt(span.endMs)
  }
}
