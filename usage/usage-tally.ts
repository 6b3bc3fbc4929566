import type { UsageRow } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, emptyAggregate } from '../domain/metering/metering.ts'
import type { CountedEvent } from './counted-events.ts'
import { refuseTooManyRows, type UsageGroup, usageGroupName, usageRowOf } from './usage-rows.ts'

/** Adds up events by group, as windows do: for the parts of time that windows cannot tell apart. */
export type UsageTally = {
  add(counted: CountedEvent): void
  rows(): readonly UsageRow[]
}

export function createUsageTally(
  { aggregation }: Pick<Meter, 'aggregation'>,
  options: {
    /** 'customer' and names of dimensions. */
    readonly groupBy: readonly string[]
    /** Start of the calendar window of an instant; undefined: one row per group. */
    readonly windowStartOf?: ((instantMs: InstantMs) => InstantMs) | undefined
    /** One more row is refused with `too_many_rows`. */
    readonly rowsMax: number
  },
): UsageTally {
  const { groupBy, windowStartOf, rowsMax } = options
  const groups = new Map<string, UsageGroup & { aggregate: Aggregate }>()
  return {
    add({ event, reading, dimensions }) {
      const group: UsageGroup = {
        windowStartMs: windowStartOf === undefined ? null : windowStartOf(event.occurredAtMs),
        customer: groupBy.includes('customer') ? event.customer : null,
        dimensions: Object.fromEntries(groupBy.filter((name) => name !== 'customer').map((name) => [name, dimensions[name] ?? ''])),
      }
      const name = usageGroupName(group, groupBy)
      const before = groups.get(name)?.aggregate ?? emptyAggregate
      groups.set(name, { ...group, aggregate: addToAggregate(before, aggregation, reading, event) })
      refuseTooManyRows(groups.size, rowsMax)
    },
    rows: () => [...groups.values()].map(({ aggregate, ...group }) => usageRowOf(group, aggregate)),
  }
}
