import {
  BACKFILL_CHUNK_BASE,
  type CustomerUsageQuery,
  type CustomerUsageRow,
  type WindowRow,
} from '../../../adapters/usage-store/usage-store.ts'
import { type Aggregate, emptyAggregate, matchesFilter, mergeAggregates } from '../../../domain/metering/metering.ts'
import { OTHER_VALUE } from '../../../domain/metering/series.ts'
import { type UsageGroup, usageRowOf } from '../../../usage/usage-rows.ts'

const MINUTE_MS = 60_000

/** The answer of `usageOfCustomers`, in the slow and obvious way. `rows` are the latest versions of one meter's revision. */
export function customerUsageOf(rows: Iterable<WindowRow>, query: CustomerUsageQuery, chunkRecords: number): CustomerUsageRow[] {
  const { periods, groupBy, filter, cutOffs } = query
  const groups = new Map<string, { readonly group: UsageGroup; readonly place: Place; total: Aggregate }>()
  for (const row of rows) {
    const { customer, windowStartMs, partition, version } = row
    const isBackfilled = row.chunk >= BACKFILL_CHUNK_BASE
    const chunkStart = (row.chunk % BACKFILL_CHUNK_BASE) * chunkRecords
    const cutOff = cutOffs === undefined ? Number.POSITIVE_INFINITY : (cutOffs.get(partition) ?? 0)
    const period = periods
      .get(customer)
      ?.filter(({ startMs, endMs }) => startMs < endMs && startMs < windowStartMs + MINUTE_MS)
      .at(-1)
    if (period === undefined || period.endMs <= windowStartMs || chunkStart >= cutOff) continue
    const isOther = [...groupBy, ...Object.keys(filter)].some((name) => row.dimensions[name] === OTHER_VALUE)
    if (!isOther && !matchesFilter(filter, row.dimensions)) continue
    const isCut = windowStartMs < period.startMs || windowStartMs + MINUTE_MS > period.endMs
    const place: Place = {
      isOther,
      customer,
      periodStartMs: period.startMs,
      cutMinuteMs: isCut ? windowStartMs : null,
      beyond: isCut || version < cutOff ? null : { windowStartMs, dimensions: row.dimensions, partition, isBackfilled },
    }
    const dimensions = Object.fromEntries(groupBy.map((name) => [name, row.dimensions[name] ?? '']))
    const key = JSON.stringify([place, groupBy.map((name) => dimensions[name])])
    const found = groups.get(key) ?? { group: { windowStartMs: null, customer, dimensions }, place, total: emptyAggregate }
    found.total = mergeAggregates(found.total, row)
    groups.set(key, found)
  }
  return [...groups.values()].map(({ group, place, total }) => ({ ...usageRowOf(group, total), ...place }))
}

type Place = Pick<CustomerUsageRow, 'isOther' | 'customer' | 'periodStartMs' | 'cutMinuteMs' | 'beyond'>
