import { storedInstantMs, type UsageRow, type UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Offset, Partition } from '../domain/identity.ts'
import { countedEvents } from './counted-events.ts'
import type { CustomerPeriod, UsageShape } from './period-usage.ts'
import { createUsageTally } from './usage-tally.ts'

/**
 * The answer of `readPeriodUsage`, from the events of one partition below an offset alone: for a meter whose windows are not
 * complete there yet. It reads all events of its customers from the first period's start to the last one's end.
 */
export async function readEventUsage(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  shape: UsageShape,
  asked: readonly CustomerPeriod[],
  options: { readonly partition: Partition; readonly toOffset: Offset; readonly rowsMax: number },
): Promise<readonly (readonly UsageRow[])[]> {
  const { partition, toOffset, rowsMax } = options
  const { meter, groupBy } = shape
  const tallies = asked.map(() => createUsageTally(meter, { groupBy, rowsMax }))
  const byCustomer = Map.groupBy(
    asked.map(({ customer, period }, at) => ({ customer, period, tally: tallies[at] })),
    ({ customer }) => customer,
  )
  const scan = {
    ...{ partition, toOffset, customers: [...byCustomer.keys()] },
    fromMs: storedInstantMs(Math.min(...asked.map(({ period }) => period.startMs))),
    toMs: storedInstantMs(Math.max(...asked.map(({ period }) => period.endMs))),
  }
  for await (const counted of countedEvents(usageStore, shape, scan)) {
    const { customer, occurredAtMs } = counted.event
    for (const { period, tally } of byCustomer.get(customer) ?? []) {
      if (occurredAtMs >= period.startMs && occurredAtMs < period.endMs) tally?.add(counted)
    }
  }
  return tallies.map((tally) => tally.rows())
}
