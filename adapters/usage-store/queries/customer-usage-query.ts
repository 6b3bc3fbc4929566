import { invariant } from '../../../base/invariant.ts'
import type { CustomerKey, InstantMs } from '../../../domain/identity.ts'
import type { ClickHouseExecutor } from '../engine/clickhouse-executor.ts'
import { DATE_TIME_END_MS, type UsageStore } from '../usage-store.ts'
import { filterConditions, usageGroupOf, usageGroups, usageTotals, usageTotalsOf, WITHOUT_CROSSING_MONTHS } from './usage-totals.ts'

const MINUTE_MS = 60_000

/**
 * Many customers cost a query hardly more than one does: most of its price is that it is a query, and that it opens every
 * part. Each customer's own bounds are looked up by key while the rows are read. One thread, because these are many small
 * reads: two took up to 40% more CPU for the same.
 */
export function createCustomerUsageQuery(executor: ClickHouseExecutor): UsageStore['usageOfCustomers'] {
  return async ({ tenant, meter, revision, aggregation, periods, groupBy, filter, rowsMax }) => {
    if (periods.size === 0) return []
    const fromMs = [...periods.values()].map(({ startMs }) => storedInstantMs(startMs))
    const toMs = [...periods.values()].map(({ endMs }) => storedInstantMs(endMs))
    const filters = filterConditions(filter)
    const groups = usageGroups(groupBy)
    const keys = ['customer', 'cut_minute', ...groups.names].join(', ')
    const rows = await executor.select(
      `WITH
        toInt64(toUnixTimestamp(window_start)) * 1000 AS start_ms,
        ${boundOfCustomer('fromMs', fromMs)} AS from_ms,
        ${boundOfCustomer('toMs', toMs)} AS to_ms
      SELECT
        customer, if(start_ms < from_ms OR start_ms + ${MINUTE_MS} > to_ms, start_ms, NULL) AS cut_minute,
        [${groups.columns.join(', ')}]::Array(String),
        ${usageTotals(aggregation)}
      FROM usage_windows FINAL
      PREWHERE ${[
        'tenant = {tenant:String} AND meter = {meter:String} AND revision = {revision:UInt64} AND customer IN {customers:Array(String)}',
        "window_start >= toDateTime({leastSeconds:UInt32}, 'UTC') AND window_start <= toDateTime({greatestSeconds:UInt32}, 'UTC')",
        `start_ms + ${MINUTE_MS} > from_ms AND start_ms < to_ms`,
        ...filters.conditions,
      ].join(' AND ')}
      GROUP BY ${keys}
      ORDER BY ${keys}
      LIMIT {rowsLimit:UInt64}
      ${WITHOUT_CROSSING_MONTHS}, max_threads = 1`,
      {
        ...{ tenant, meter, revision, customers: [...periods.keys()], fromMs, toMs, rowsLimit: rowsMax + 1 },
        // For the index, which knows nothing of each customer's own.
        leastSeconds: Math.max(0, Math.floor(Math.min(...fromMs) / MINUTE_MS) * 60),
        greatestSeconds: Math.min(Math.floor(Math.max(...toMs) / 1000), DATE_TIME_END_MS / 1000 - 1),
        ...filters.params,
        ...groups.params,
      },
    )
    if (rows.length > rowsMax) return null
    return rows.map(([customer, cutMinuteMs, groupValues, ...totals]) => ({
      windowStartMs: null,
      ...usageGroupOf(groupBy, groupValues),
      customer: String(customer) as CustomerKey,
      cutMinuteMs: cutMinuteMs === null ? null : (Number(cutMinuteMs) as InstantMs),
      ...usageTotalsOf(totals),
    }))
  }
}

/** The customer's own, or the one that all share, which needs no look-up. */
function boundOfCustomer(parameter: string, boundsMs: readonly number[]): string {
  const bounds = `{${parameter}:Array(Int64)}`
  return new Set(boundsMs).size === 1 ? `${bounds}[1]` : `transform(customer, {customers:Array(String)}, ${bounds}, toInt64(0))`
}

/** Bounds before and beyond all that the engine can store stay so, and cut no minute of it. */
function storedInstantMs(instantMs: InstantMs): number {
  invariant(Number.isInteger(instantMs), 'an instant is whole milliseconds')
  return Math.max(-MINUTE_MS, Math.min(instantMs, DATE_TIME_END_MS + MINUTE_MS))
}
