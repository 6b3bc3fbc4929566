import type { LogRange } from '../../adapters/event-log/event-log.ts'
import { Fault } from '../../base/fault.ts'
import type { Offset, Partition } from '../../domain/identity.ts'

/** Where the fold of a partition resumes. */
export type ResumePoint = {
  /** First offset of the chunk whose totals are folded again. */
  readonly chunkStart: Offset
  /** First record to read from the log. Records between the two are gone from the log and are folded from the stored events. */
  readonly from: Offset
  /** True when the counters are too far behind to catch up from the log: they start empty and are computed on demand. */
  readonly resetsCounters: boolean
}

/**
 * The usage store and the counters each say how far they have read. The chunk that the store is in is folded again; when the
 * counters are behind it, the records that they miss are read again too, if the log has them and they are few.
 */
export function resumePoint(
  partition: Partition,
  at: { readonly storedNext: Offset; readonly countersNext: Offset; readonly chunkRecords: number; readonly log: LogRange },
): ResumePoint {
  const { storedNext, countersNext, chunkRecords, log } = at
  if (storedNext > log.next) {
    throw fault(
      'log_behind_usage_store',
      `Partition ${partition} of the event log ends at offset ${log.next}, but the usage store has read up to ${storedNext}: the log was lost or replaced. Restore the log, or start with an empty usage store.`,
    )
  }
  if (storedNext < log.start) {
    throw fault(
      'log_trimmed_too_far',
      `Partition ${partition} of the event log begins at offset ${log.start}, but the usage store has read up to ${storedNext} only: the records between are gone and would never be counted. Restore them, or accept the loss by setting the store's position to ${log.start}.`,
    )
  }
  const startOfChunk = (offset: Offset) => (Math.floor(offset / chunkRecords) * chunkRecords) as Offset
  const chunkStart = startOfChunk(storedNext)
  const from = Math.max(chunkStart, log.start) as Offset
  if (countersNext >= from) return { chunkStart, from, resetsCounters: false }
  const countersStart = startOfChunk(countersNext)
  const canCatchUp = countersStart >= log.start && from - countersStart <= CATCH_UP_RECORDS_MAX
  return canCatchUp ? { chunkStart: countersStart, from: countersStart, resetsCounters: false } : { chunkStart, from, resetsCounters: true }
}

/** The most records read again for the counters' sake; beyond that it is cheaper to compute the requested ones. */
export const CATCH_UP_RECORDS_MAX = 20_000

function fault(code: string, message: string): Fault {
  return new Fault(code, message, { canRetry: false, publicText: 'The stored usage does not fit the event log.' })
}
