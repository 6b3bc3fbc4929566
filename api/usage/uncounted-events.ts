import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, MeterKey } from '../../domain/identity.ts'
import type { Unreadable } from '../../domain/metering/expressions/compiled-meter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { readMeterValue } from '../../domain/metering/metering.ts'
import { RESERVED_TYPE_PREFIX } from '../../domain/metering/usage-report.ts'

/** Events of one type that counted for nothing, for one reason. */
export type UncountedGroup = {
  readonly type: string
  /** Null for `unread_type`: no meter reads the type. */
  readonly meter: MeterKey | null
  readonly reason: Unreadable | 'unread_type'
  readonly count: number
  /** Event time of the first one. */
  readonly sinceMs: InstantMs
  readonly samples: readonly string[]
}

export const UNCOUNTED_SAMPLES_MAX = 5
/** Senders choose types freely: beyond this many groups events are not told apart. */
const UNCOUNTED_GROUPS_MAX = 1_000

/** Sums up the events that count for nothing under the present meters. */
export type UncountedEvents = { add(event: StoredEvent): void; groups(): readonly UncountedGroup[]; isFull(): boolean }

export function createUncountedEvents(meters: readonly Meter[]): UncountedEvents {
  const byType = Map.groupBy(meters, ({ eventType }) => eventType)
  const groups = new Map<string, Mutable<UncountedGroup> & { samples: string[] }>()
  let isFull = false

  function note({ type, id, occurredAtMs }: StoredEvent, meter: MeterKey | null, reason: UncountedGroup['reason']): void {
    const name = JSON.stringify([type, meter, reason])
    let group = groups.get(name)
    if (group === undefined) {
      isFull = groups.size >= UNCOUNTED_GROUPS_MAX
      if (isFull) return
      group = { type, meter, reason, count: 0, sinceMs: occurredAtMs, samples: [] }
      groups.set(name, group)
    }
    group.count++
    if (occurredAtMs < group.sinceMs) group.sinceMs = occurredAtMs
    if (group.samples.length < UNCOUNTED_SAMPLES_MAX) group.samples.push(id)
  }

  return {
    add(event) {
      // Direct usage reports name their meter.
      if (event.type.startsWith(RESERVED_TYPE_PREFIX)) return
      const ofType = byType.get(event.type)
      if (ofType === undefined) {
        note(event, null, 'unread_type')
        return
      }
      const data = JSON.parse(event.data) as object
      for (const meter of ofType) {
        const reason = uncountedReason(meter, data)
        if (reason !== null) note(event, meter.key, reason)
      }
    },
    groups: () => [...groups.values()].sort((a, b) => b.count - a.count),
    isFull: () => isFull,
  }
}

/** Why the event does not count for the meter; null when it does, or when the meter does not select it. */
function uncountedReason(meter: Meter, data: object): Unreadable | null {
  const reading = readMeterValue(meter, data)
  return reading !== null && 'unreadable' in reading ? reading.unreadable : null
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] }
