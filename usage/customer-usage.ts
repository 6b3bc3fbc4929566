import type { CustomerUsageRow, UsageRow, UsageStore } from '../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../base/batched-reads.ts'
import type { Clock } from '../base/clock.ts'
import type { CustomerKey, Period } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import { eventTypesOf } from '../domain/metering/event-reading.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { createPartialMinutes, type PartialMinutes } from './partial-minutes.ts'
import { mergeUsageRows, refuseTooManyRows } from './usage-rows.ts'

/** What of a meter is asked for: its groups, of what passes the filter. */
export type UsageShape = { readonly meter: Meter; readonly groupBy: readonly string[]; readonly filter: DimensionFilter }

export type CustomerUsage = {
  /**
   * Totals of one customer over a period, to the millisecond, by group; nothing counted is no row. Those that are asked for at
   * the same time, of other customers and other periods, share a query. Throws the refusal `too_many_rows`. The meter is complete.
   */
  totals(shape: UsageShape, customer: CustomerKey, period: Period): Promise<readonly UsageRow[]>
}

/** Rows of one query, which is as many as one caller may have. */
const ROWS_MAX = 50_000
const CUSTOMERS_PER_QUERY_MAX = 200
const WAITING_MAX = 10_000

type CustomerPeriod = { readonly shape: UsageShape; readonly customer: CustomerKey; readonly period: Period }

export function createCustomerUsage(deps: {
  readonly usageStore: Pick<UsageStore, 'usageOfCustomers' | 'scanEvents'>
  readonly clock: Clock
}): CustomerUsage {
  const { usageStore, clock } = deps
  const reads = createBatchedReads<CustomerPeriod, readonly UsageRow[]>({
    read: (asked) => readTotals(usageStore, asked),
    itemsMax: CUSTOMERS_PER_QUERY_MAX,
    waitingMax: WAITING_MAX,
    clock,
  })
  return {
    totals(shape, customer, period) {
      const { tenant, key, revision } = shape.meter
      const name = JSON.stringify([tenant, key, revision, shape.groupBy, Object.entries(shape.filter)])
      return reads.read(name, { shape, customer, period })
    },
  }
}

/** All of one shape. */
async function readTotals(
  usageStore: Pick<UsageStore, 'usageOfCustomers' | 'scanEvents'>,
  asked: readonly CustomerPeriod[],
): Promise<readonly (readonly UsageRow[])[]> {
  const distinct = new Map(asked.map((each) => [nameOf(each), each]))
  const answers = new Map<CustomerPeriod, readonly UsageRow[]>()
  for (const some of withEachCustomerOnce([...distinct.values()])) await readSome(usageStore, some, answers)
  return asked.map((each) => answers.get(distinct.get(nameOf(each)) ?? each) ?? [])
}

function nameOf({ customer, period }: CustomerPeriod): string {
  return `${period.startMs} ${period.endMs} ${customer}`
}

/** A query knows one period of a customer; a second one is for the next query. */
function withEachCustomerOnce(asked: readonly CustomerPeriod[]): readonly (readonly CustomerPeriod[])[] {
  const queries: CustomerPeriod[][] = []
  for (const ofCustomer of Map.groupBy(asked, ({ customer }) => customer).values()) {
    for (const [at, each] of ofCustomer.entries()) {
      const query = queries[at] ?? []
      query.push(each)
      queries[at] = query
    }
  }
  return queries
}

async function readSome(
  usageStore: Pick<UsageStore, 'usageOfCustomers' | 'scanEvents'>,
  some: readonly CustomerPeriod[],
  answers: Map<CustomerPeriod, readonly UsageRow[]>,
): Promise<void> {
  const [first] = some
  if (first === undefined) return
  const { meter, groupBy, filter } = first.shape
  const rows = await usageStore.usageOfCustomers({
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    aggregation: meter.aggregation,
    periods: new Map(some.map(({ customer, period }) => [customer, period])),
    groupBy,
    filter,
    rowsMax: ROWS_MAX,
  })
  if (rows === null) return refuseTooManyRows(ROWS_MAX + 1, ROWS_MAX)
  const cut = rows.filter(({ cutMinuteMs }) => cutMinuteMs !== null)
  const edges = await foldEdges(usageStore, first.shape, some, cut)
  const whole = Map.groupBy(
    rows.filter(({ cutMinuteMs }) => cutMinuteMs === null),
    ({ customer }) => customer,
  )
  for (const each of some) {
    const ofPeriod = [...(whole.get(each.customer) ?? []), ...(edges.get(each.customer)?.rows() ?? [])]
    answers.set(
      each,
      mergeUsageRows(
        ofPeriod.map((row) => ({ ...row, customer: null })),
        groupBy,
      ),
    )
  }
}

/** Only minutes with windows have events that count, so that mostly there is nothing to read. */
async function foldEdges(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  { meter, groupBy, filter }: UsageShape,
  some: readonly CustomerPeriod[],
  cut: readonly CustomerUsageRow[],
): Promise<ReadonlyMap<CustomerKey, PartialMinutes>> {
  const minutes = new Map(
    cut.flatMap(({ customer, cutMinuteMs }) =>
      cutMinuteMs === null ? [] : [[`${cutMinuteMs} ${customer}`, { customer, startMs: cutMinuteMs }]],
    ),
  )
  const folds = new Map(cut.map(({ customer }) => [customer, createPartialMinutes(meter, { groupBy, filter, rowsMax: ROWS_MAX })]))
  if (minutes.size === 0) return folds
  const periods = new Map(some.map(({ customer, period }) => [customer, period]))
  const scan = { tenant: meter.tenant, types: eventTypesOf(meter), minutes: [...minutes.values()] }
  for await (const events of usageStore.scanEvents(scan)) {
    for (const event of events) {
      const period = periods.get(event.customer)
      const isWithin = period !== undefined && event.occurredAtMs >= period.startMs && event.occurredAtMs < period.endMs
      if (isWithin) folds.get(event.customer)?.add(event)
    }
  }
  return folds
}
