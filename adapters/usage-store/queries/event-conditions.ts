import type { InstantMs } from '../../../domain/identity.ts'
import type { QueryParams } from '../engine/clickhouse-executor.ts'
import { type EventScan, storedInstantMs } from '../usage-store.ts'
import { textRow } from './text-row.ts'

export type Conditions = { readonly sql: string; readonly params: QueryParams }

/** The conditions whose value is given, each with its bound parameter of the same name. */
export function conditions(given: readonly (readonly [sql: string, name: string, value: unknown])[]): Conditions {
  const present = given.filter(([, , value]) => value !== undefined)
  return {
    sql: present.map(([sql]) => sql).join(' AND ') || '1',
    params: Object.fromEntries(present.map(([, name, value]) => [name, value])),
  }
}

export function scanConditions(scan: EventScan): Conditions {
  return conditions([
    ['tenant = {tenant:String}', 'tenant', scan.tenant],
    ['type IN {types:Array(String)}', 'types', scan.types],
    ['customer IN {customers:Array(String)}', 'customers', scan.customers],
    ['customer NOT IN {exceptCustomers:Array(String)}', 'exceptCustomers', scan.exceptCustomers],
    ['customer > {afterCustomer:String}', 'afterCustomer', scan.afterCustomer],
    ['customer <= {toCustomer:String}', 'toCustomer', scan.toCustomer],
    // The index takes a set of key prefixes; separate conditions would each be tried on every mark.
    [
      `(customer, toStartOfMinute(occurred_at)) IN (
        SELECT customer, toDateTime(start_seconds, 'UTC') FROM format(TSV, 'customer String, start_seconds UInt32', {minutes:String}))`,
      'minutes',
      scan.minutes?.map(({ customer, startMs }) => textRow([customer, String(startMs / 1000)])).join(''),
    ],
    ['log_partition = {partition:UInt32}', 'partition', scan.partition],
    ["occurred_at >= fromUnixTimestamp64Milli({fromMs:Int64}, 'UTC')", 'fromMs', optionalStoredMs(scan.fromMs)],
    ["occurred_at < fromUnixTimestamp64Milli({toMs:Int64}, 'UTC')", 'toMs', optionalStoredMs(scan.toMs)],
    ['log_offset >= {fromOffset:UInt64}', 'fromOffset', scan.fromOffset],
    ['log_offset < {toOffset:UInt64}', 'toOffset', scan.toOffset],
    ['log_offset IN {offsets:Array(UInt64)}', 'offsets', scan.offsets],
    ["received_at >= fromUnixTimestamp64Milli({receivedFromMs:Int64}, 'UTC')", 'receivedFromMs', scan.receivedFromMs],
  ])
}

/** The engine refuses to compare with instants far outside of those that it stores. */
export function optionalStoredMs(instantMs: InstantMs | undefined): InstantMs | undefined {
  return instantMs === undefined ? undefined : storedInstantMs(instantMs)
}

export function whereWithin(where: Conditions, range: Conditions): Conditions {
  const depth = Object.keys(where.params).length
  let { sql } = range
  const params: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(range.params)) {
    sql = sql.replace(`{${name}:`, `{${name}${depth}:`)
    params[`${name}${depth}`] = value
  }
  return { sql: `${where.sql} AND ${sql}`, params: { ...where.params, ...params } }
}
