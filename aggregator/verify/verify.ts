import type { Partition } from '../../domain/identity.ts'
import { type PartitionReport, type VerifyOptions, verifyPartition } from './verify-partition.ts'

export type VerifyReport = {
  readonly differences: number
  readonly partitions: readonly PartitionReport[]
  /** What could not be checked, and why. These are no differences. */
  readonly notes: readonly string[]
}

/**
 * Compares every view with its source, one partition at a time: `events` with the log as far back as the log goes, windows,
 * counters and the dedupe filter with `events`, positions with the log. Memory is bounded by the counters and the dedupe filter
 * of one partition, and by one slice of windows and events.
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
