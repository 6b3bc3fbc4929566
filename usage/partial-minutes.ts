import { DateTime } from 'luxon'
import type { StoredEvent, UsageRow, UsageWindow } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import { readEvent } from '../domain/metering/event-reading.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, emptyAggregate, matchesFilter } from '../domain/metering/metering.ts'
import { refuseTooManyRows, type UsageGroup, usageGroupName, usageRowOf } from './usage-rows.ts'

/** Usage is stored by the minute; what a period cuts out of its first and last minute is folded from their events. */
export type PartialMinutes = {
  add(event: StoredEvent): void
  rows(): readonly UsageRow[]
}

export type PartialMinutesRequest = {
  readonly window?: UsageWindow
  /** IANA name. */
  readonly timezone?: string
  /** 'customer' and dimensions. */
  readonly groupBy: readonly string[]
  readonly filter: DimensionFilter
  readonly rowsMax: number
}

const MINUTE_MS = 60_000

export function createPartialMinutes(meter: Meter, { window, timezone, groupBy, filter, rowsMax }: PartialMinutesRequest): PartialMinutes {
  const groups = new Map<string, UsageGroup & { aggregate: Aggregate }>()
  return {
    add(event) {
      const read = readEvent(meter, event, JSON.parse(event.data) as object)
      if (read === null || 'unreadable' in read.reading || !matchesFilter(filter, read.dimensions)) return
      const { reading, dimensions } = read
      const group: UsageGroup = {
        windowStartMs: window === undefined ? null : windowStartOf(event.occurredAtMs, window, timezone),
        customer: groupBy.includes('customer') ? event.customer : null,
        dimensions: Object.fromEntries(groupBy.filter((name) => name !== 'customer').map((name) => [name, dimensions[name] ?? ''])),
      }
      const name = usageGroupName(group, groupBy)
      const before = groups.get(name)?.aggregate ?? emptyAggregate
      groups.set(name, { ...group, aggregate: addToAggregate(before, meter.aggregation, reading, event) })
      refuseTooManyRows(groups.size, rowsMax)
    },
    rows: () => [...groups.values()].map(({ aggregate, ...group }) => usageRowOf(group, aggregate)),
  }
}

function windowStartOf(instantMs: InstantMs, window: UsageWindow, timezone = 'UTC'): InstantMs {
  if (window === 'minute') return (Math.floor(instantMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  return DateTime.fromMillis(instantMs, { zone: timezone }).startOf(window).toMillis() as InstantMs
}
