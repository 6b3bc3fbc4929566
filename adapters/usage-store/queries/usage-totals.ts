import { invariant } from '../../../base/invariant.ts'
import { parseDecimal } from '../../../domain/decimal.ts'
import type { CustomerKey, InstantMs, Offset } from '../../../domain/identity.ts'
import type { Aggregation } from '../../../domain/metering/meter.ts'
import type { ResultRow } from '../engine/clickhouse-executor.ts'
import type { UsageRow } from '../usage-store.ts'

const LATEST_ORDER = '(latest_occurred_at, latest_log_offset, latest_log_index)'
const LATEST_PLACE = '(toUnixTimestamp64Milli(assumeNotNull(latest_occurred_at)), latest_log_offset, latest_log_index)'
const HAS_LATEST = 'isNotNull(latest_occurred_at)'

/**
 * The columns of a SELECT over usage windows that merge each group, for `usageTotalsOf`. Columns that the aggregation does not
 * need are not read: over many windows that saves up to a third of a query.
 */
export function usageTotals(aggregation: Aggregation | undefined): string {
  const isAnyOf = (...those: readonly Aggregation[]) => aggregation === undefined || those.includes(aggregation)
  return [
    'sum(events)',
    isAnyOf('sum', 'count', 'avg') ? 'toString(sum(toDecimal256(value_sum, 9)))' : "'0'",
    isAnyOf('min') ? 'toString(min(value_min))' : 'NULL',
    isAnyOf('max') ? 'toString(max(value_max))' : 'NULL',
    isAnyOf('latest') ? `toString(argMaxIf(value_latest, ${LATEST_ORDER}, ${HAS_LATEST}))` : 'NULL',
    isAnyOf('latest') ? `maxIf(${LATEST_PLACE}, ${HAS_LATEST})` : '(0, 0, 0)',
    isAnyOf('unique') ? 'groupUniqArrayArray(unique_values)' : '[]',
  ].join(', ')
}

/** All versions of a window are in one month, so `FINAL` need not compare months. */
export const ACROSS_MONTHS = 'do_not_merge_across_partitions_select_final = 1'
export const WITHOUT_CROSSING_MONTHS = `SETTINGS ${ACROSS_MONTHS}`

/** The values of `usageTotals`, in their order. */
export function usageTotalsOf(row: ResultRow): Omit<UsageRow, 'windowStartMs' | 'customer' | 'dimensions'> {
  const [events, sum, min, max, latest, latestAt, unique] = row
  const [latestAtMs, latestOffset, latestIndex] = (latestAt as ResultRow).map(Number)
  const hasLatest = latest !== null
  return {
    events: Number(events),
    sum: quantityOf(sum),
    min: optionalQuantityOf(min),
    max: optionalQuantityOf(max),
    latest: optionalQuantityOf(latest),
    latestAtMs: hasLatest ? (latestAtMs as InstantMs) : null,
    latestOffset: hasLatest ? (latestOffset as Offset) : null,
    latestIndex: hasLatest ? (latestIndex ?? null) : null,
    unique: (unique as ResultRow).map(String).sort(),
  }
}

type UsageGroups = {
  /** One expression for each of `groupBy`, named `group0` and so on. */
  readonly columns: readonly string[]
  readonly names: readonly string[]
  readonly params: Readonly<Record<string, unknown>>
}

/** Expressions for 'customer' and dimensions, to group a SELECT by. */
export function usageGroups(groupBy: readonly string[]): UsageGroups {
  const params: Record<string, unknown> = {}
  const columns = groupBy.map((group, at) => {
    if (group === 'customer') return `customer AS group${at}`
    params[`groupName${at}`] = group
    return `dimensions[{groupName${at}:String}] AS group${at}`
  })
  return { columns, names: groupBy.map((_, at) => `group${at}`), params }
}

/** The values of such groups, which the SELECT answers as one array. */
export function usageGroupOf(groupBy: readonly string[], groups: unknown): Pick<UsageRow, 'customer' | 'dimensions'> {
  const values = (groups as ResultRow).map(String)
  const dimensions: Record<string, string> = {}
  let customer: CustomerKey | null = null
  for (const [at, group] of groupBy.entries()) {
    const value = values[at] ?? ''
    if (group === 'customer') customer = value as CustomerKey
    else Object.defineProperty(dimensions, group, { value, enumerable: true })
  }
  return { customer, dimensions }
}

/** Windows whose dimensions have one of the values that the filter names. */
export function filterConditions(filter: Readonly<Record<string, readonly string[]>>): {
  readonly conditions: readonly string[]
  readonly params: Readonly<Record<string, unknown>>
} {
  const params: Record<string, unknown> = {}
  const conditions = Object.entries(filter).map(([dimension, values], at) => {
    params[`filterName${at}`] = dimension
    params[`filterValues${at}`] = values
    return `dimensions[{filterName${at}:String}] IN {filterValues${at}:Array(String)}`
  })
  return { conditions, params }
}

/** Digits of a Decimal256 before its nine fractional ones. */
const DECIMAL_INTEGER_DIGITS_MAX = 67

export function quantityOf(text: unknown): bigint {
  const quantity = parseDecimal(String(text), DECIMAL_INTEGER_DIGITS_MAX, 9)
  invariant(quantity !== null, 'the engine prints decimals in plain notation')
  return quantity
}

export function optionalQuantityOf(text: unknown): bigint | null {
  return text === null ? null : quantityOf(text)
}
