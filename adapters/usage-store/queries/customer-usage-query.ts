import { invariant } from '../../../base/invariant.ts'
import type { CustomerKey, InstantMs, Partition } from '../../../domain/identity.ts'
import { OTHER_VALUE } from '../../../domain/metering/series.ts'
import { RefusalError } from '../../../domain/refusal.ts'
import { MINUTE_MS } from '../../../domain/time/durations.ts'
import type { ClickHouseExecutor, ResultRow } from '../engine/clickhouse-executor.ts'
import type { ReadBounds } from '../read-bounds.ts'
import {
  BACKFILL_CHUNK_BASE,
  type CustomerUsageQuery,
  type CustomerUsageRow,
  DATE_TIME_END_MS,
  type UsageStore,
  type WindowBeyond,
} from '../usage-store.ts'
import { createBoundedSelect } from './bounded-select.ts'
import { textRow } from './text-row.ts'
import { ACROSS_MONTHS, filterConditions, usageGroupOf, usageGroups, usageTotals, usageTotalsOf } from './usage-totals.ts'

/**
 * Many customers cost a query hardly more than one does, as most of its cost is to start and to open every part. Each row finds
 * its period by one search in a table of all periods, however many a customer has. One thread, because these are many small
 * reads: two took up to 40% more CPU for the same.
 */
export function createCustomerUsageQuery(
  executor: ClickHouseExecutor,
  chunkRecords: () => number,
  bounds: ReadBounds,
): UsageStore['usageOfCustomers'] {
  const select = createBoundedSelect(executor, bounds)
  return async (query) => {
    const { tenant, meter, revision, aggregation, groupBy, filter, rowsMax } = query
    const periods = periodTable(query.periods)
    if (periods === null) return []
    const names = [...new Set([...groupBy, ...Object.keys(filter)])]
    const other = otherTerm(names)
    const filters = filterConditions(filter)
    const passes = filters.conditions.length === 0 ? [] : [`(${filters.conditions.join(' AND ')} OR ${other.sql})`]
    const groups = usageGroups(groupBy)
    const cut = cutOffTerms(query.cutOffs, chunkRecords)
    const keys = [...PLACE, ...groups.names].join(', ')
    const reading = select(
      `WITH
        toInt64(toUnixTimestamp(window_start)) * 1000 AS start_ms,
        if(start_ms < from_ms OR start_ms + ${MINUTE_MS} > to_ms, start_ms, NULL) AS cut_minute,
        ${other.sql} AS is_other,
        ${cut.terms}
      SELECT
        ${PLACE.join(', ')},
        [${groups.columns.join(', ')}]::Array(String),
        ${usageTotals(aggregation)}
      FROM usage_windows AS w FINAL
      ASOF INNER JOIN (
        SELECT * FROM format(TSV, 'customer String, period Int64, from_ms Int64, to_ms Int64', {periods:String})
      ) AS p ON w.customer = p.customer AND toInt64(toUnixTimestamp(w.window_start)) * 1000 + ${MINUTE_MS - 1} >= p.from_ms
      PREWHERE ${[
        'tenant = {tenant:String} AND meter = {meter:String} AND revision = {revision:UInt64} AND customer IN {customers:Array(String)}',
        "window_start >= toDateTime({leastSeconds:UInt32}, 'UTC') AND window_start <= toDateTime({greatestSeconds:UInt32}, 'UTC')",
        ...cut.conditions,
        ...passes,
      ].join(' AND ')}
      WHERE start_ms < to_ms
      GROUP BY ${keys}
      ORDER BY ${keys}
      LIMIT {rowsLimit:UInt64}
      `,
      {
        ...{ tenant, meter, revision, rowsLimit: rowsMax + 1 },
        ...periods,
        ...cut.params,
        ...filters.params,
        ...other.params,
        ...groups.params,
      },
      `${ACROSS_MONTHS}, max_threads = 1`,
    )
    const rows = periods.customers.length === 1 ? await reading : await reading.catch(nullWhereTooLarge)
    return rows === null || rows.length > rowsMax ? null : rows.map((row) => toCustomerUsageRow(row, groupBy))
  }
}

/** The caller asks for fewer customers then. */
function nullWhereTooLarge(error: unknown): null {
  if (error instanceof RefusalError && error.refusal.code === 'read_too_large') return null
  throw error
}

/** Columns that tell rows apart besides their group: rows are added up within a period, and kept apart where events decide. */
const PLACE = [
  ...['customer', 'period', 'cut_minute', 'is_other'],
  ...['is_beyond', 'beyond_minute', 'beyond_partition', 'beyond_backfilled', 'beyond_names', 'beyond_values'],
]

/** Windows in which one of these dimensions may stand for any value. */
function otherTerm(names: readonly string[]): { readonly sql: string; readonly params: Readonly<Record<string, unknown>> } {
  if (names.length === 0) return { sql: 'false', params: {} }
  return {
    sql: `arrayExists(name -> dimensions[name] = {otherValue:String}, {otherNames:Array(String)})`,
    params: { otherNames: names, otherValue: OTHER_VALUE },
  }
}

/** Null where no customer has a period of any length. */
function periodTable(periods: CustomerUsageQuery['periods']) {
  const customers: CustomerKey[] = []
  const rows: string[] = []
  let leastMs = Number.POSITIVE_INFINITY
  let greatestMs = Number.NEGATIVE_INFINITY
  for (const [customer, ofCustomer] of periods) {
    let precedingEndMs = Number.NEGATIVE_INFINITY
    for (const { startMs, endMs } of ofCustomer) {
      invariant(startMs >= precedingEndMs, 'periods of a customer are ascending and apart')
      precedingEndMs = endMs
      const [fromMs, toMs] = [storedInstantMs(startMs), storedInstantMs(endMs)]
      if (fromMs >= toMs) continue
      rows.push(textRow([customer, String(startMs), String(fromMs), String(toMs)]))
      leastMs = Math.min(leastMs, fromMs)
      greatestMs = Math.max(greatestMs, toMs)
      if (customers.at(-1) !== customer) customers.push(customer)
    }
  }
  if (rows.length === 0) return null
  return {
    customers,
    periods: rows.join(''),
    // For the index, which cannot use the bounds of each customer.
    leastSeconds: secondsOf(Math.floor(leastMs / MINUTE_MS) * MINUTE_MS),
    greatestSeconds: secondsOf(greatestMs),
  }
}

/**
 * A chunk that begins at or above the cut-off has no offsets below it, and one that ends below has none above: so only a row of
 * the chunk that the cut-off lies in can have a version at or above it. All versions of a row have one partition and one chunk,
 * so both may be conditions before `FINAL`; the version may not.
 */
function cutOffTerms(cutOffs: CustomerUsageQuery['cutOffs'], chunkRecords: () => number) {
  const terms = (isBeyond: string) =>
    `isNull(cut_minute) AND ${isBeyond} AS is_beyond,
        if(is_beyond, start_ms, 0) AS beyond_minute,
        if(is_beyond, log_partition, 0) AS beyond_partition,
        is_beyond AND chunk >= ${BACKFILL_CHUNK_BASE} AS beyond_backfilled,
        if(is_beyond, mapKeys(dimensions)::Array(String), emptyArrayString()) AS beyond_names,
        if(is_beyond, mapValues(dimensions), emptyArrayString()) AS beyond_values`
  if (cutOffs === undefined) return { terms: terms('false'), conditions: [], params: {} }
  return {
    terms: `transform(log_partition, {partitions:Array(UInt32)}, {cutOffs:Array(UInt64)}, toUInt64(0)) AS cut_off,
        ${terms('version >= cut_off')}`,
    conditions: [`chunk % ${BACKFILL_CHUNK_BASE} * {chunkRecords:UInt64} < cut_off`],
    params: { partitions: [...cutOffs.keys()], cutOffs: [...cutOffs.values()], chunkRecords: chunkRecords() },
  }
}

function toCustomerUsageRow(row: ResultRow, groupBy: readonly string[]): CustomerUsageRow {
  const [customer, periodStartMs, cutMinuteMs, isOther, isBeyond, ...rest] = row
  const groups = PLACE.length - 5
  return {
    windowStartMs: null,
    ...usageGroupOf(groupBy, rest[groups]),
    customer: String(customer) as CustomerKey,
    periodStartMs: Number(periodStartMs) as InstantMs,
    cutMinuteMs: cutMinuteMs === null ? null : (Number(cutMinuteMs) as InstantMs),
    isOther: Number(isOther) === 1,
    beyond: Number(isBeyond) === 1 ? toWindowBeyond(rest) : null,
    ...usageTotalsOf(rest.slice(groups + 1)),
  }
}

function toWindowBeyond([startMs, partition, isBackfilled, names, values]: ResultRow): WindowBeyond {
  const texts = values as ResultRow
  return {
    windowStartMs: Number(startMs) as InstantMs,
    partition: Number(partition) as Partition,
    isBackfilled: Number(isBackfilled) === 1,
    dimensions: Object.fromEntries((names as ResultRow).map((name, at) => [String(name), String(texts[at])])),
  }
}

/** Bounds outside of the times that the engine can store stay outside, and cut no stored minute. */
function storedInstantMs(instantMs: InstantMs): number {
  invariant(Number.isInteger(instantMs), 'an instant is whole milliseconds')
  return Math.max(-MINUTE_MS, Math.min(instantMs, DATE_TIME_END_MS + MINUTE_MS))
}

function secondsOf(instantMs: number): number {
  return Math.max(0, Math.min(Math.floor(instantMs / 1000), DATE_TIME_END_MS / 1000 - 1))
}
