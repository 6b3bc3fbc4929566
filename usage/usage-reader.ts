import type { CutOffs, UsageRow, UsageStore } from '../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../base/batched-reads.ts'
import type { Clock } from '../base/clock.ts'
import type { CustomerKey, Period } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { type CalendarUsageRequest, readCalendarUsage, readOtherEvents } from './calendar-usage.ts'
import { type CompleteMeters, createCompleteMeters } from './complete-meters.ts'
import { type CustomerPeriod, readPeriodUsage, type UsageShape } from './period-usage.ts'
import { USAGE_READER_BOUNDS } from './usage-reader-bounds.ts'

/**
 * What meters counted, exact to the millisecond. A group without usage has no row. Every read throws the refusals
 * `meter_backfilling`, until the meter has counted the events from before it was made, and `too_many_rows`.
 */
export type UsageReader = CompleteMeters & {
  /** By calendar windows, for any customers. */
  calendar(meter: Meter, request: CalendarUsageRequest): Promise<readonly UsageRow[]>
  /** Events of the same request that no answer by dimension can tell apart, as they are beyond the meter's `seriesMax`. */
  otherEvents(meter: Meter, request: CalendarUsageRequest): Promise<number>
  /** One customer's usage over one period, by group. Reads asked for at the same time, for any customers and periods, share a query. */
  period(shape: UsageShape, customer: CustomerKey, period: Period): Promise<readonly UsageRow[]>
  /**
   * The same for many periods at once, in the order of `asked`: one query for up to 20,000 periods. `cutOffs`: as of a position
   * of the log, by partition, which the store has passed; the answer stays the same for ever. Undefined: as of now.
   */
  periods(shape: UsageShape, asked: readonly CustomerPeriod[], cutOffs?: CutOffs): Promise<readonly (readonly UsageRow[])[]>
}

export type UsageReaderOptions = {
  readonly usageStore: Pick<UsageStore, 'usage' | 'usageOfCustomers' | 'scanEvents' | 'activations' | 'chunkRecords'>
  /** Partitions of the event log: a meter is complete when each has counted the events from before it. */
  readonly partitions: number
  readonly clock: Clock
}

const ROWS_MAX = USAGE_READER_BOUNDS.rows.most
const PERIODS_SHARED_MAX = 200

type Asked = CustomerPeriod & { readonly shape: UsageShape }

export function createUsageReader({ usageStore, partitions, clock }: UsageReaderOptions): UsageReader {
  const meters = createCompleteMeters({ usageStore, partitions })
  const reads = createBatchedReads<Asked, readonly UsageRow[]>({
    read: async (asked) => {
      const [first] = asked
      return first === undefined ? [] : await readDistinct(first.shape, asked)
    },
    itemsMax: PERIODS_SHARED_MAX,
    waitingMax: USAGE_READER_BOUNDS.waiting.most,
    clock,
  })

  /** All of one shape; a period that several ask for is read once. */
  async function readDistinct(shape: UsageShape, asked: readonly Asked[]): Promise<readonly (readonly UsageRow[])[]> {
    const distinct = [...new Map(asked.map((each) => [nameOf(each), each])).values()]
    const rows = await readPeriodUsage(usageStore, shape, distinct, { rowsMax: ROWS_MAX })
    const answers = new Map(distinct.map((each, at) => [nameOf(each), rows[at] ?? []]))
    return asked.map((each) => answers.get(nameOf(each)) ?? [])
  }

  return {
    ...meters,
    async calendar(meter, request) {
      await meters.requireComplete(meter)
      return await readCalendarUsage(usageStore, meter, request)
    },
    otherEvents: (meter, request) => readOtherEvents(usageStore, meter, request),
    async period(shape, customer, period) {
      await meters.requireComplete(shape.meter)
      const { tenant, key, revision } = shape.meter
      const name = JSON.stringify([tenant, key, revision, shape.groupBy, Object.entries(shape.filter)])
      return await reads.read(name, { shape, customer, period }, tenant)
    },
    async periods(shape, asked, cutOffs) {
      await meters.requireComplete(shape.meter)
      return await readPeriodUsage(usageStore, shape, asked, { cutOffs, rowsMax: ROWS_MAX })
    },
  }
}

function nameOf({ customer, period }: CustomerPeriod): string {
  return `${period.startMs} ${period.endMs} ${customer}`
}
