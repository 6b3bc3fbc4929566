import type { Catalog } from '../adapters/catalog/catalog.ts'
import type { Counters } from '../adapters/counters/counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../domain/clock.ts'
import type { Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import type { UsageEventBatch } from '../domain/usage-event.ts'
import type { Difference } from './difference.ts'
import { type PartitionReport, verifyPartition } from './verify-partition.ts'

export type VerifyReport = {
  readonly differences: number
  readonly partitions: readonly PartitionReport[]
  /** What could not be checked, and why. No differences. */
  readonly notes: readonly string[]
}

export type VerifyOptions = {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range' | 'read'>
  readonly usageStore: Pick<
    UsageStore,
    'positions' | 'chunkRecords' | 'activations' | 'scanEvents' | 'scanEventKeys' | 'findEvents' | 'scanWindows' | 'query'
  >
  readonly counters: Pick<Counters, 'position' | 'scan'>
  readonly catalog: Pick<Catalog, 'allMeters' | 'entitlementInputs'>
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly clock: Clock
  /** Whether others may write meanwhile. Then what was written when a partition's turn came is compared. */
  readonly isLive: boolean
  /** Whether these meters' windows are compared; all when undefined. */
  readonly isWanted?: (meter: Meter) => boolean
  readonly onDifference: (difference: Difference) => void
}

/**
 * Compares every view with what it is made of, one partition at a time: `events` with the log as far as the log reaches,
 * windows, counters and the dedupe filter with `events`, positions with the log. Memory is bounded by the windows, counters
 * and dedupe filter of one partition.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const partitions: PartitionReport[] = []
  const notes: string[] = []
  for (let number = 0; number < options.eventLog.partitions; number++) {
    const { report, notes: ofPartition } = await verifyPartition(options, number as Partition)
    partitions.push(report)
    notes.push(...ofPartition)
  }
  return { differences: partitions.reduce((sum, { differences }) => sum + differences, 0), partitions, notes }
}
