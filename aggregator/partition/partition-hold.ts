import type { EventLog } from '../../adapters/event-log/event-log.ts'
import { Fault } from '../../base/fault.ts'
import type { Offset, Partition } from '../../domain/identity.ts'

/** All partitions, taken the way aggregators take them, so that none of them has one meanwhile. */
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
): Promise<PartitionHold> {
  const held = new Set<Partition>()
  const { promise: whenAllHeld, resolve: allHeld } = Promise.withResolvers<boolean>()
  const { promise: released, resolve: letGo } = Promise.withResolvers<void>()
  let isLost = false
  const subscription = await eventLog.subscribe(group, {
    async assigned(partition): Promise<Offset> {
      held.add(partition)
      if (held.size === eventLog.partitions) allHeld(true)
      return (await eventLog.range(partition)).next
    },
    async revoked(partition) {
      held.delete(partition)
      isLost = true
    },
    // Nothing is read: what is appended meanwhile waits for the aggregators.
    records: () => released,
  })
  const release = async () => {
    letGo()
    await subscription.stop()
  }
  const patience = setTimeout(() => allHeld(false), withinMs)
  const hasAll = await whenAllHeld
  clearTimeout(patience)
  if (!hasAll) {
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
