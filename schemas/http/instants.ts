import { END_OF_TIME_MS, type InstantMs, type Period } from '../../domain/identity.ts'
import { type Outcome, refuse, refuseField } from '../../domain/refusal.ts'

/** Parses RFC 3339 text whose shape the schema has checked, and checks that the day exists. Digits finer than milliseconds are cut. */
export function parseInstant(text: string, field: string): Outcome<InstantMs> {
  const ms = Date.parse(text)
  if (ms >= EARLIEST_MS && ms < END_OF_TIME_MS) return ms as InstantMs
  return refuseField(field, refuse('invalid_time', { field, value: `'${text}'`, of: 'request' }))
}

const EARLIEST_MS = 0

export function instantJson(ms: InstantMs): string {
  return new Date(ms).toISOString()
}

export function periodJson({ startMs, endMs }: Period): { start: string; end: string | null } {
  return { start: instantJson(startMs), end: endMs >= END_OF_TIME_MS ? null : instantJson(endMs) }
}
