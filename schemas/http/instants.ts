import { Type } from 'typebox'
import type { ChangeMoment } from '../../domain/catalog/subscription.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../../domain/identity.ts'
import { type Outcome, refuse, refuseField } from '../../domain/refusal.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { parseDateText, parseInstantText } from '../../domain/time/instant-text.ts'
import { firstAtOrPast } from '../../domain/time/local-time.ts'
import type { TimeZone } from '../../domain/time/time-zone.ts'
import { InstantSchema } from './common.ts'

/** An instant of a request, from 1970 on. */
export function parseInstant(text: string, field: string): Outcome<InstantMs> {
  const ms = parseInstantText(text)
  if (ms !== undefined && ms >= EARLIEST_MS && ms < END_OF_TIME_MS) return ms
  return refuseField(field, refuse('invalid_time', { field, value: `'${text}'`, of: 'request' }))
}

/** `now`, `periodEnd`, or an instant. */
export function readMoment(at: string): Outcome<ChangeMoment | InstantMs> {
  return at === 'now' || at === 'periodEnd' ? at : parseInstant(at, 'at')
}

/** A bound of a requested time, which may lie before everything stored; a date is its first instant in the zone. */
export function parseBound(text: string, field: string, zone: TimeZone): Outcome<InstantMs> {
  const days = parseDateText(text)
  const ms = days === undefined ? parseInstantText(text) : firstAtOrPast(zone, days * DAY_MS)
  return (ms as InstantMs | undefined) ?? refuseField(field, refuse('invalid_time', { field, value: `'${text}'`, of: 'request' }))
}

export const BoundSchema = (description: string) => Type.Union([InstantSchema, Type.String({ format: 'date' })], { description })

const EARLIEST_MS = 0

export function instantJson(ms: InstantMs): string {
  return new Date(ms).toISOString()
}

export function periodJson({ startMs, endMs }: Period): { start: string; end: string | null } {
  return { start: instantJson(startMs), end: endMs >= END_OF_TIME_MS ? null : instantJson(endMs) }
}
