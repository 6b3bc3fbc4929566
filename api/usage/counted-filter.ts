import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { RESERVED_TYPE_PREFIX } from '../../domain/metering/usage-report.ts'

/** Which events of a list are wanted: those that a meter reads, and those that counted or did not. */
export type CountedFilter = {
  /** Null for events of any meter, and of none. */
  readonly meter: Meter | null
  /** Null for both. */
  readonly isCounted: boolean | null
}

/**
 * Whether the event is wanted under the present meters. With a meter, events that it does not read are not. Without one, an event
 * has not counted when no meter reads its type, or a meter that does could not read a value of it.
 */
export function isWanted(
  { meter, isCounted }: CountedFilter,
  event: StoredEvent,
  metersByType: ReadonlyMap<string, readonly Meter[]>,
): boolean {
  if (meter === null) return isCounted === null || isCounted === hasCounted(event, metersByType)
  const read = readEvent(meter, event, JSON.parse(event.data) as object)
  return read !== null && (isCounted === null || isCounted === !('unreadable' in read.reading))
}

function hasCounted(event: StoredEvent, metersByType: ReadonlyMap<string, readonly Meter[]>): boolean {
  // Usage reports name their meter, and the end of a settlement is not meant to count.
  if (event.type.startsWith(RESERVED_TYPE_PREFIX)) return true
  const meters = metersByType.get(event.type)
  if (meters === undefined) return false
  const data = JSON.parse(event.data) as object
  return meters.every((meter) => {
    const read = readEvent(meter, event, data)
    return read === null || !('unreadable' in read.reading)
  })
}
