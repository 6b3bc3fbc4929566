import type { UsagePage, UsagePlace, UsageRow } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, emptyAggregate } from '../domain/metering/metering.ts'
import type { CountedEvent } from './counted-events.ts'
import {
  compareUsageGroups,
  compareUsagePlaces,
  refuseTooManyRows,
  type UsageGroup,
  usageGroupName,
  usagePlaceOf,
  usageRowOf,
} from './usage-rows.ts'

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
    /** Then the first `rowsMax + 1` rows behind a place are kept, and none is refused. */
    readonly page?: UsagePage | undefined
  },
): UsageTally {
  const { groupBy, windowStartOf, rowsMax, page } = options
  const groups = new Map<string, UsageGroup & { aggregate: Aggregate }>()
  const isBehind = (place: UsagePlace | null, group: UsageGroup) =>
    place === null || compareUsagePlaces(usagePlaceOf(group, groupBy), place) > 0

  /** What is dropped may come again, with a part of its events, and is beyond the page as before: places only come closer. */
  function dropBeyondPage(): void {
    const inOrder = [...groups].sort(([, a], [, b]) => compareUsageGroups(a, b, groupBy))
    for (const [name] of inOrder.slice(rowsMax + 1)) groups.delete(name)
  }

  return {
    add({ event, reading, dimensions }) {
      const group: UsageGroup = {
        windowStartMs: windowStartOf === undefined ? null : windowStartOf(event.occurredAtMs),
        customer: groupBy.includes('customer') ? event.customer : null,
        dimensions: Object.fromEntries(groupBy.filter((name) => name !== 'customer').map((name) => [name, dimensions[name] ?? ''])),
      }
      if (page !== undefined && !isBehind(page.after, group)) return
      const name = usageGroupName(group, groupBy)
      const before = groups.get(name)?.aggregate ?? emptyAggregate
      groups.set(name, { ...group, aggregate: addToAggregate(before, aggregation, reading, event) })
      if (page === undefined) refuseTooManyRows(groups.size, rowsMax)
      else if (groups.size > 2 * (rowsMax + 1)) dropBeyondPage()
    },
    rows: () => [...groups.values()].map(({ aggregate, ...group }) => usageRowOf(group, aggregate)),
  }
}
