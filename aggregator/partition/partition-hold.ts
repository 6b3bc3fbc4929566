import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { Clock } from '../../base/clock.ts'
import { LATE, within } from '../../base/deadline.ts'
import { Fault } from '../../base/fault.ts'
import type { Offset, Partition } from '../../domain/identity.ts'

/** All partitions, taken as aggregators take them, so that no aggregator has one meanwhile. */
export type PartitionHold = {
  /** False once an aggregator has come. */
  isHeld(): boolean
  release(): Promise<void>
}

/** Throws `partitions_in_use` when others keep some of them. */
export async function holdPartitions(
  eventLog: Pick<EventLog, 'partitions' | 'range' | 'subscribe'>,
  group: string,
  withinMs: number,
  clock: Clock,
): Promise<PartitionHold> {
  const held = new Set<Partition>()
  const { promise: whenAllHeld, resolve: allHeld } = Promise.withResolvers<void>()
  const { promise: released, resolve: letGo } = Promise.withResolvers<void>()
  let isLost = false
  const subscription = await eventLog.subscribe(group, {
    async assigned(partition): Promise<Offset> {
      held.add(partition)
      if (held.size === eventLog.partitions) allHeld()
      return (await eventLog.range(partition)).next
    },
    async revoked(partition) {
      held.delete(partition)
      isLost = true
    },
    // Nothing is read: records appended meanwhile wait for the aggregators.
    records: () => released,
  })
  const release = async () => {
    letGo()
    await subscription.stop()
  }
  if ((await within(clock, withinMs, whenAllHeld)) === LATE) {
    await release()
    const others = eventLog.partitions - held.size
    throw new Fault(
      'partitions_in_use',
      `${others} of ${eventLog.partitions} partitions are aggregated by other processes: stop those with the role aggregator, then run the command again. Nothing was changed.`,
      { canRetry: false, publicText: 'The event log is in use.' },
    )
  }
  isLost = false
  return {
    isHeld: () => !isLost && held.size === eventLog.partitions,
    release,
  }
}
