import type { Offset, Partition } from '../../../domain/identity.ts'
import type { LogRecord } from '../event-log.ts'

/**
 * Records written a moment ago, for the reader that follows. Reading them from the file would copy them once more, and count
 * every page of the log as memory of this process.
 */
export type LogTail = {
  /** Keeps nothing when the tail is full: the reader finds the record in the file. Offsets of a partition ascend. */
  keep(record: LogRecord): void
  /** Adjoining records from this offset on; none when the offset is not kept. Drops the records before it. */
  from(partition: Partition, offset: Offset, limits: { readonly recordsMax: number; readonly bytesMax: number }): readonly LogRecord[]
  /** The first offset kept, null when there is none. */
  start(partition: Partition): Offset | null
  clear(): void
}

export function createLogTail({ bytesMax }: { readonly bytesMax: number }): LogTail {
  const partitions = new Map<Partition, Map<Offset, LogRecord>>()
  let bytes = 0

  function letGoBefore(kept: Map<Offset, LogRecord>, end: Offset): void {
    for (const [offset, { value }] of kept) {
      if (offset >= end) return
      bytes -= value.byteLength
      kept.delete(offset)
    }
  }

  return {
    keep(record) {
      if (bytes + record.value.byteLength > bytesMax) return
      const kept = partitions.get(record.partition) ?? new Map<Offset, LogRecord>()
      partitions.set(record.partition, kept)
      kept.set(record.offset, record)
      bytes += record.value.byteLength
    },
    from(partition, offset, { recordsMax, bytesMax }) {
      const kept = partitions.get(partition)
      if (kept === undefined) return []
      letGoBefore(kept, offset)
      const found: LogRecord[] = []
      let foundBytes = 0
      for (let record = kept.get(offset); record !== undefined; record = kept.get((record.offset + 1) as Offset)) {
        found.push(record)
        foundBytes += record.value.byteLength
        if (found.length >= recordsMax || foundBytes >= bytesMax) break
      }
      return found
    },
    start: (partition) => partitions.get(partition)?.keys().next().value ?? null,
    clear() {
      partitions.clear()
      bytes = 0
    },
  }
}
