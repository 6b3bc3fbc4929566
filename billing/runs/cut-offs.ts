import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { CutOffs, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Offset, Partition } from '../../domain/identity.ts'

export type CutOffDeps = {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range'>
  readonly usageStore: Pick<UsageStore, 'positions'>
  readonly clock: Clock
}

/** How long a run waits for the usage store to pass the ends of the log that it has read. */
const USAGE_WAIT_MS_MAX = 30_000
const LOOK_INTERVAL_MS = 100

/**
 * The end of each partition of the log, as the run begins, which the usage store has passed: every event acknowledged before
 * counts, and none after it does. A partition that the store does not reach within 30 s is behind, and its customers are left
 * for the next run: rather late than too little.
 */
export async function readCutOffs({
  eventLog,
  usageStore,
  clock,
}: CutOffDeps): Promise<{ readonly cutOffs: CutOffs; readonly behind: readonly Partition[] }> {
  const partitions = Array.from({ length: eventLog.partitions }, (_, partition) => partition as Partition)
  const ranges = await Promise.all(partitions.map((partition) => eventLog.range(partition)))
  const ends = new Map(partitions.map((partition, at) => [partition, ranges[at]?.next ?? (0 as Offset)]))
  const untilMs = clock.now() + USAGE_WAIT_MS_MAX
  for (;;) {
    const positions = await usageStore.positions()
    const behind = partitions.filter((partition) => (positions.get(partition) ?? 0) < (ends.get(partition) ?? 0))
    if (behind.length === 0 || clock.now() >= untilMs) return { cutOffs: ends, behind }
    await clock.sleep(LOOK_INTERVAL_MS)
  }
}
