import type { CustomerKey, InstantMs, Partition, TenantKey } from '../../../domain/identity.ts'
import { HOUR_MS } from '../../../domain/time/durations.ts'
import type { ClickHouseExecutor } from '../engine/clickhouse-executor.ts'
import { DATE_TIME_END_MS, type EventScan, type UsageStore, type VerifySlice } from '../usage-store.ts'
import { conditions, scanConditions } from './event-conditions.ts'
import { createEventQueries } from './event-queries.ts'
import { selectWindowRows } from './window-queries.ts'

export type VerifySlices = Pick<UsageStore, 'scanSlices'>

/** Events in one slice; more only where one hour of one customer has more. */
const SLICE_EVENTS = 20_000
const CUSTOMERS_PER_QUERY = 100_000

/** Bounds within one tenant, as in an `EventScan`. */
type SliceBounds = Pick<EventScan, 'afterCustomer' | 'toCustomer' | 'fromMs' | 'toMs'>

/** Slices follow the sorting key of both tables, so that each reads its own rows and few others. */
export function createVerifySlices(executor: ClickHouseExecutor): VerifySlices {
  const { scanEvents } = createEventQueries(executor)
  return {
    async *scanSlices({ partition, tenant: onlyTenant }) {
      for (const tenant of onlyTenant === undefined ? await tenantsOf(executor) : [onlyTenant]) yield* oneAhead(slices(tenant, partition))
    },
  }

  async function* slices(tenant: TenantKey, partition: Partition): AsyncGenerator<VerifySlice> {
    for await (const bounds of sliceBounds(executor, tenant, partition)) {
      const windows = await windowsWithin(executor, tenant, partition, bounds)
      yield { windows, events: oneAhead(scanEvents({ tenant, partition, ...bounds })) }
    }
  }
}

/** Reads the next value while the present one is worked on: the engine has its own threads. */
function oneAhead<Value>(source: AsyncIterable<Value>): AsyncIterable<Value> {
  const iterator = source[Symbol.asyncIterator]()
  const read = () => {
    const next = iterator.next()
    // The error is seen when its turn comes, or by nobody when the reader has stopped.
    next.catch(() => undefined)
    return next
  }
  let ahead = read()
  return (async function* () {
    for (;;) {
      const { value, done } = await ahead
      if (done === true) return
      ahead = read()
      yield value
    }
  })()
}

async function tenantsOf(executor: ClickHouseExecutor): Promise<readonly TenantKey[]> {
  const rows = await executor.select(
    'SELECT DISTINCT tenant FROM (SELECT tenant FROM events UNION ALL SELECT tenant FROM usage_windows) ORDER BY tenant',
  )
  return rows.map(([tenant]) => String(tenant) as TenantKey)
}

/** Each slice begins where the one before ended; the first has no begin and the last no end, so that windows without an event are included. */
async function* sliceBounds(executor: ClickHouseExecutor, tenant: TenantKey, partition: Partition): AsyncIterable<SliceBounds> {
  let after: CustomerKey | undefined
  let last: CustomerKey | undefined
  let inSlice = 0
  const upTo = (toCustomer: CustomerKey | undefined): SliceBounds => ({
    ...(after === undefined ? {} : { afterCustomer: after }),
    ...(toCustomer === undefined ? {} : { toCustomer }),
  })
  for await (const { customer, events } of eventsByCustomer(executor, tenant, partition)) {
    if (inSlice > 0 && inSlice + events > SLICE_EVENTS) {
      yield upTo(last)
      after = last
      inSlice = 0
    }
    if (events > SLICE_EVENTS) {
      yield* hoursOf(executor, tenant, partition, upTo(customer))
      after = customer
    } else {
      inSlice += events
    }
    last = customer
  }
  yield upTo(undefined)
}

async function* eventsByCustomer(executor: ClickHouseExecutor, tenant: TenantKey, partition: Partition) {
  let after: CustomerKey | null = null
  for (;;) {
    const rows = await executor.select(
      `SELECT customer, count() FROM events
       WHERE tenant = {tenant:String} AND log_partition = {partition:UInt32} ${after === null ? '' : 'AND customer > {after:String}'}
       GROUP BY customer ORDER BY customer LIMIT {customersMax:UInt64}`,
      { tenant, partition, customersMax: CUSTOMERS_PER_QUERY, ...(after === null ? {} : { after }) },
    )
    for (const [customer, events] of rows) yield { customer: String(customer) as CustomerKey, events: Number(events) }
    const last = rows.at(-1)
    if (rows.length < CUSTOMERS_PER_QUERY || last === undefined) return
    after = String(last[0]) as CustomerKey
  }
}

async function* hoursOf(
  executor: ClickHouseExecutor,
  tenant: TenantKey,
  partition: Partition,
  bounds: SliceBounds,
): AsyncIterable<SliceBounds> {
  const where = scanConditions({ tenant, partition, ...bounds })
  const rows = await executor.select(
    `SELECT intDiv(toUnixTimestamp64Milli(occurred_at), ${HOUR_MS}) AS hour, count() FROM events WHERE ${where.sql} GROUP BY hour ORDER BY hour`,
    where.params,
  )
  let fromMs: InstantMs | undefined
  let inSlice = 0
  for (const [hour = 0, events = 0] of rows.map((row) => row.map(Number))) {
    if (inSlice > 0 && inSlice + events > SLICE_EVENTS) {
      const toMs = (hour * HOUR_MS) as InstantMs
      yield { ...bounds, ...(fromMs === undefined ? {} : { fromMs }), toMs }
      fromMs = toMs
      inSlice = 0
    }
    inSlice += events
  }
  yield { ...bounds, ...(fromMs === undefined ? {} : { fromMs }) }
}

function windowsWithin(executor: ClickHouseExecutor, tenant: TenantKey, partition: Partition, bounds: SliceBounds) {
  const seconds = (atMs: InstantMs | undefined) => (atMs === undefined ? undefined : Math.min(atMs, DATE_TIME_END_MS - 1_000) / 1_000)
  const where = conditions([
    ['tenant = {tenant:String}', 'tenant', tenant],
    ['log_partition = {partition:UInt32}', 'partition', partition],
    ['customer > {afterCustomer:String}', 'afterCustomer', bounds.afterCustomer],
    ['customer <= {toCustomer:String}', 'toCustomer', bounds.toCustomer],
    ["window_start >= toDateTime({fromSeconds:UInt32}, 'UTC')", 'fromSeconds', seconds(bounds.fromMs)],
    ["window_start < toDateTime({toSeconds:UInt32}, 'UTC')", 'toSeconds', seconds(bounds.toMs)],
  ])
  return selectWindowRows(executor, where.sql, where.params)
}
