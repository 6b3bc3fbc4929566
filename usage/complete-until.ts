import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../base/batched-reads.ts'
import type { Clock } from '../base/clock.ts'
import type { InstantMs, Partition } from '../domain/identity.ts'

export type CompleteUntilDeps = {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range'>
  readonly usageStore: Pick<UsageStore, 'positions' | 'query'>
  readonly clock: Clock
}

/**
 * The instant up to which usage is complete: every event received before it is counted. That is now when the usage store has all
 * of the log; otherwise the latest receipt in the store of the partition that is furthest behind.
 */
export function createCompleteUntil({ eventLog, usageStore, clock }: CompleteUntilDeps): () => Promise<InstantMs> {
  const partitions = Array.from({ length: eventLog.partitions }, (_, partition) => partition as Partition)
  // Callers that come together share one look, which begins after each of them has asked.
  const looks = createBatchedReads<null, InstantMs>({
    read: async (asked) => {
      const asOfMs = await look()
      return asked.map(() => asOfMs)
    },
    itemsMax: WAITING_MAX,
    waitingMax: WAITING_MAX,
    clock,
  })

  async function look(): Promise<InstantMs> {
    const nowMs = clock.now()
    // The log is read first: events appended after this are received after `nowMs`.
    const ranges = await Promise.all(partitions.map((partition) => eventLog.range(partition)))
    const positions = await usageStore.positions()
    const behind = partitions.filter((partition, at) => (positions.get(partition) ?? 0) < (ranges[at]?.next ?? 0))
    if (behind.length === 0) return nowMs
    const latest = await latestReceipts(usageStore, behind, nowMs)
    return Math.min(nowMs, ...behind.map((partition) => latest.get(partition) ?? 0)) as InstantMs
  }

  return () => looks.read('', null)
}

const WAITING_MAX = 10_000

/** Looks at the last minutes first, which the store finds without reading the rest. */
const RECENT_MS = 600_000

async function latestReceipts(
  usageStore: CompleteUntilDeps['usageStore'],
  partitions: readonly Partition[],
  nowMs: InstantMs,
): Promise<ReadonlyMap<Partition, number>> {
  const receivedSince = (sinceMs: number) =>
    usageStore.query(
      `SELECT log_partition, toUnixTimestamp64Milli(max(received_at)) AS received_at_ms FROM events
       WHERE log_partition IN {partitions:Array(UInt32)} AND received_at >= fromUnixTimestamp64Milli({sinceMs:Int64}, 'UTC')
       GROUP BY log_partition`,
      { partitions, sinceMs },
    )
  const recent = await receivedSince(nowMs - RECENT_MS)
  const rows = recent.length === partitions.length ? recent : await receivedSince(0)
  return new Map(rows.map((row) => [Number(row.log_partition) as Partition, Number(row.received_at_ms)]))
}
