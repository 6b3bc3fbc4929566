import type { InstantMs } from '../identity.ts'
import type { DimensionFilter } from '../metering/dimension-filter.ts'
import { readEvent } from '../metering/event-reading.ts'
import { findJsonDefect, holdsLoneSurrogate } from '../metering/json-defect.ts'
import type { Meter } from '../metering/meter.ts'
import { matchesFilter } from '../metering/metering.ts'
import { RESERVED_TYPE_PREFIX } from '../metering/usage-report.ts'
import { type Outcome, refuse, refuseField } from '../refusal.ts'
import { RESERVATION_BOUNDS } from './reservation-bounds.ts'

/** An event that says what was done under a reservation. Without a time it happened when it was settled. */
export type SettledEvent = {
  readonly id: string | null
  readonly type: string
  readonly occurredAtMs: InstantMs | null
  readonly data: object
}

export const SETTLED_EVENTS_MAX = RESERVATION_BOUNDS.events.most
/** All of one settlement as JSON: it stays in memory until it is counted, and fits into one record of the log. */
export const SETTLED_EVENTS_BYTES_MAX = RESERVATION_BOUNDS.eventBytes.most

/** Events of a settlement that can be kept: as an event by itself is, and within the bounds of all together. */
export function parseSettledEvents(events: readonly SettledEvent[]): Outcome<readonly SettledEvent[]> {
  for (const [index, { type, data }] of events.entries()) {
    if (type.startsWith(RESERVED_TYPE_PREFIX)) {
      return refuseField(`events[${index}].type`, refuse('reserved_type', { type: JSON.stringify(type), prefix: RESERVED_TYPE_PREFIX }))
    }
    const defect = findJsonDefect(data, `events[${index}].data`)
    if (defect !== undefined) return refuseField(`events[${index}].data`, defect)
  }
  const json = JSON.stringify(events)
  if (holdsLoneSurrogate(json)) return refuseField('events', refuse('lone_surrogate', { field: 'events', value: null }))
  const bytes = new TextEncoder().encode(json).byteLength
  if (bytes > SETTLED_EVENTS_BYTES_MAX) {
    return refuseField('events', refuse('settlement_too_large', { bytes, bytesMax: SETTLED_EVENTS_BYTES_MAX }))
  }
  return events
}

/**
 * What the events come to for one feature, in nano units. Below zero, which only a meter that allows it makes, is zero: until the
 * events are counted these units are held, and what is held frees nothing.
 */
export function unitsOfEvents(meter: Meter, filter: DimensionFilter, events: readonly SettledEvent[]): bigint {
  let units = 0n
  for (const { type, data } of events) {
    const read = readEvent(meter, { type }, data)
    if (read === null || 'unreadable' in read.reading || !matchesFilter(filter, read.dimensions)) continue
    units += read.reading.value
  }
  return units > 0n ? units : 0n
}
