import { invariant } from '../../../base/invariant.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import type { WindowRun } from '../../../domain/time/calendar-windows.ts'
import type { ClickHouseExecutor, QueryParams, ResultRow } from '../engine/clickhouse-executor.ts'
import { INNER_READ_BOUNDS, type InnerReadBounds, READ_BOUNDS_DEFAULT, type ReadBounds } from '../read-bounds.ts'
import {
  DATE_TIME_END_MS,
  type UsagePlace,
  type UsageQuery,
  type UsageRow,
  type UsageStore,
  type WindowKey,
  type WindowRow,
} from '../usage-store.ts'
import { createBoundedSelect } from './bounded-select.ts'
import { createCustomerUsageQuery } from './customer-usage-query.ts'
import { createSeriesQueries } from './series-queries.ts'
import { textRow } from './text-row.ts'
import {
  ACROSS_MONTHS,
  filterConditions,
  optionalQuantityOf,
  quantityOf,
  usageGroupOf,
  usageGroups,
  usageTotals,
  usageTotalsOf,
  WITHOUT_CROSSING_MONTHS,
} from './usage-totals.ts'

/**
 * The store's reads of usage windows. `FINAL` takes the latest version of each chunk's row. Every condition is on columns that
 * all versions of a row share, so it may come before `FINAL` (`PREWHERE`), which then compares only the rows asked for, and not
 * all that the index could not skip.
 */
export type WindowQueries = Pick<UsageStore, 'usage' | 'windowRows' | 'usageOfCustomers' | 'seriesOfDays' | 'seriesOfMeters'>

export function createWindowQueries(
  executor: ClickHouseExecutor,
  chunkRecords: () => number,
  bounds: ReadBounds = READ_BOUNDS_DEFAULT,
  { customers, seriesTimeMs }: Pick<InnerReadBounds, 'customers' | 'seriesTimeMs'> = INNER_READ_BOUNDS,
): WindowQueries {
  const select = createBoundedSelect(executor, bounds)
  return {
    async usage(query) {
      const { sql, params } = usageStatement(query)
      const rows = await select(sql, params, ACROSS_MONTHS)
      if (rows.length > query.rowsMax && query.page === undefined) {
        throw new RefusalError(refuse('too_many_rows', { rowsMax: query.rowsMax }))
      }
      return rows.map((row) => toUsageRow(row, query))
    },

    async windowRows({ partition, chunk }, keys) {
      const rows: WindowRow[] = []
      for (let from = 0; from < keys.length; from += KEYS_PER_QUERY_MAX) {
        const texts = keys.slice(from, from + KEYS_PER_QUERY_MAX).map(keyText)
        rows.push(...(await selectWindowRows(executor, WINDOWS_OF_KEYS, { partition, chunk, keys: texts.join('') })))
      }
      return rows
    },

    usageOfCustomers: createCustomerUsageQuery(executor, chunkRecords, customers),
    ...createSeriesQueries(executor, seriesTimeMs),
  }
}

/** Keys in one look-up, so that the parameter stays below a few MB. */
const KEYS_PER_QUERY_MAX = 10_000

const KEY_COLUMNS = 'tenant, meter, revision, customer, toUnixTimestamp(window_start)'
/** No value is missing, so the values alone tell combinations apart. */
const KEY_VALUES = "arrayStringConcat(mapValues(dimensions), '\\n')"
const WANTED = `format(TSV, 'tenant String, meter String, revision UInt64, customer String, start UInt32, names String', {keys:String})`

/** The first conditions let the engine skip by primary key; the last decides. */
const WINDOWS_OF_KEYS = `log_partition = {partition:UInt32} AND chunk = {chunk:UInt64}
  AND (tenant, meter, revision, customer) IN (SELECT tenant, meter, revision, customer FROM ${WANTED})
  AND (${KEY_COLUMNS}, ${KEY_VALUES}) IN (SELECT * FROM ${WANTED})`

function keyText({ tenant, meter, revision, customer, windowStartMs, dimensions }: WindowKey): string {
  const values = Object.entries(dimensions)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => value)
  return textRow([tenant, meter, String(revision), customer, String(windowStartMs / 1000), values.join('\n')])
}

function usageStatement(query: UsageQuery): { sql: string; params: Record<string, unknown> } {
  const params: Record<string, unknown> = {
    tenant: query.tenant,
    meter: query.meter,
    revision: query.revision,
    fromSeconds: wholeMinuteSeconds(query.fromMs),
    toSeconds: wholeMinuteSeconds(query.toMs),
    rowsLimit: query.rowsMax + 1,
  }
  const where = [
    'tenant = {tenant:String} AND meter = {meter:String} AND revision = {revision:UInt64}',
    "window_start >= toDateTime({fromSeconds:UInt32}, 'UTC') AND window_start < toDateTime({toSeconds:UInt32}, 'UTC')",
  ]
  if (query.customers !== undefined) {
    where.push('customer IN {customers:Array(String)}')
    params.customers = query.customers
  }
  if (query.exceptCustomers !== undefined) {
    where.push('customer NOT IN {exceptCustomers:Array(String)}')
    params.exceptCustomers = query.exceptCustomers
  }
  const place = query.page?.after ?? null
  const after = place === null ? null : afterPlace(query, place)
  if (after !== null) where.push(...after.where)
  const filter = filterConditions(query.filter)
  const groups = usageGroups(query.groupBy)
  const keys = ['window', ...groups.names]
  const sql = `${query.windows === undefined ? 'WITH NULL' : `WITH ${WINDOW_START}`} AS window
    SELECT
      window,
      [${groups.columns.join(', ')}]::Array(String),
      ${usageTotals(query.aggregation)}
    FROM usage_windows FINAL
    PREWHERE ${[...where, ...filter.conditions].join(' AND ')}
    GROUP BY ${keys.join(', ')} ${after?.having ?? ''}
    ORDER BY ${keys.join(', ')}
    LIMIT {rowsLimit:UInt64}`
  return { sql, params: { ...params, ...windowParams(query.windows ?? []), ...filter.params, ...groups.params, ...after?.params } }
}

/** What lies behind a place: the groups that do, and where the customer decides alone which windows need not be read. */
function afterPlace({ windows, groupBy }: UsageQuery, { windowStartMs, groups }: UsagePlace) {
  const hasWindows = windows !== undefined && windowStartMs !== null
  const names = [...(hasWindows ? ['window'] : []), ...groups.map((_, at) => `group${at}`)]
  const values = [...(hasWindows ? ['{afterWindow:Int64}'] : []), ...groups.map((_, at) => `{afterGroup${at}:String}`)]
  const params: Record<string, unknown> = Object.fromEntries(groups.map((group, at) => [`afterGroup${at}`, group]))
  if (hasWindows) params.afterWindow = windowStartMs / 1000
  const isFirst = hasWindows
    ? "window_start >= toDateTime({afterWindow:Int64}, 'UTC')"
    : groupBy[0] === 'customer'
      ? 'customer >= {afterGroup0:String}'
      : null
  // A lone total has no row behind it.
  const having = names.length === 0 ? 'HAVING false' : `HAVING (${names.join(', ')}) > (${values.join(', ')})`
  return { having, params, where: isFirst === null ? [] : [isFirst] }
}

/** Finds the last run that has begun by bisection, and in it the window by its length: a year of hours in a zone is some five runs. */
const WINDOW_START = `toInt64(toUnixTimestamp(window_start)) AS start,
      roundDown(start, {runStarts:Array(Int64)}) AS run,
      start - (start - run) % transform(run, {runStarts:Array(Int64)}, {runLengths:Array(Int64)}, toInt64(1))`

function windowParams(windows: readonly WindowRun[]): QueryParams {
  return {
    runStarts: windows.map(({ startMs }) => startMs / 1000),
    runLengths: windows.map(({ lengthMs }) => lengthMs / 1000),
  }
}

function wholeMinuteSeconds(instantMs: InstantMs): number {
  invariant(instantMs % 60_000 === 0, 'usage is asked for whole minutes')
  // A later bound, such as the end of a period that never resets, becomes the engine's last second.
  return Math.max(0, Math.min(instantMs / 1000, DATE_TIME_END_MS / 1000 - 1))
}

function toUsageRow(row: ResultRow, query: UsageQuery): UsageRow {
  const [window, groups, ...totals] = row
  return {
    windowStartMs: window === null ? null : ((Number(window) * 1000) as InstantMs),
    ...usageGroupOf(query.groupBy, groups),
    ...usageTotalsOf(totals),
  }
}

/** Stored rows of windows in their latest version; the condition is on columns that all versions of a row share. */
export async function selectWindowRows(executor: ClickHouseExecutor, where: string, params: QueryParams): Promise<readonly WindowRow[]> {
  const rows = await executor.select(
    `SELECT tenant, meter, revision, customer, toUnixTimestamp(window_start), mapKeys(dimensions), mapValues(dimensions),
       log_partition, chunk, version, events, toString(value_sum), toString(value_min), toString(value_max),
       toString(value_latest), toUnixTimestamp64Milli(latest_occurred_at), latest_log_offset, latest_log_index, unique_values
     FROM usage_windows FINAL PREWHERE ${where} ${WITHOUT_CROSSING_MONTHS}`,
    params,
  )
  return rows.map(toWindowRow)
}

function toWindowRow(row: ResultRow): WindowRow {
  const [tenant, meter, revision, customer, startSeconds, names, values, partition, chunk, version, ...totals] = row
  const [events, sum, min, max, latest, latestAtMs, latestOffset, latestIndex, unique] = totals
  const dimensionValues = values as ResultRow
  return {
    tenant: String(tenant) as TenantKey,
    meter: String(meter) as MeterKey,
    revision: Number(revision),
    customer: String(customer) as CustomerKey,
    windowStartMs: (Number(startSeconds) * 1000) as InstantMs,
    dimensions: Object.fromEntries((names as ResultRow).map((name, at) => [String(name), String(dimensionValues[at])])),
    partition: Number(partition) as Partition,
    chunk: Number(chunk),
    version: Number(version) as Offset,
    events: Number(events),
    sum: quantityOf(sum),
    min: optionalQuantityOf(min),
    max: optionalQuantityOf(max),
    latest:
      latest === null
        ? null
        : {
            value: quantityOf(latest),
            occurredAtMs: Number(latestAtMs) as InstantMs,
            offset: Number(latestOffset) as Offset,
            index: Number(latestIndex),
          },
    unique: (unique as ResultRow).map(String),
  }
}
