import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { Clock } from '../base/clock.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'
import type { PartitionWorker } from './partition/partition-worker.ts'
import type { Retry } from './retry.ts'

export type PartitionHealth = {
  readonly partition: Partition
  /** First record not yet folded. */
  readonly next: Offset
  /** First record not yet in the usage store. */
  readonly storedNext: Offset
  /** End of the log when last asked, about a second ago. */
  readonly logNext: Offset
  readonly lagRecords: number
  /** How long records have waited without one being folded or stored, or a step has failed; 0 when all is well. */
  readonly stalledForMs: number
}

/** How far the partitions are behind the log, and for how long nothing has moved. */
export type Progress = {
  opened(partition: Partition): void
  openFailed(partition: Partition, error: unknown): void
  closed(partition: Partition): void
  /** Asks the log for its ends. */
  refresh(): Promise<void>
  health(): readonly PartitionHealth[]
  reasons(): readonly string[]
}

/** Where a partition was when last looked at, and since when it has been there although there was more to do. */
type Seen = {
  readonly logNext: Offset
  readonly next: Offset
  readonly movedAtMs: InstantMs
  readonly storedNext: Offset
  readonly storedAtMs: InstantMs
}

type Wait = { readonly sinceMs: number; readonly reason: string }

export function createProgress(deps: {
  readonly eventLog: Pick<EventLog, 'range'>
  readonly clock: Clock
  readonly retry: Retry
  readonly workers: ReadonlyMap<Partition, PartitionWorker>
  /** Rows wait this long even when all is well. */
  readonly flushIntervalMs: number
  /** A wait is reported once it is this long. */
  readonly stalledAfterMs: number
}): Progress {
  const { eventLog, clock, retry, workers, flushIntervalMs, stalledAfterMs } = deps
  const seen = new Map<Partition, Seen>()
  const closedDoors = new Map<Partition, { readonly sinceMs: InstantMs; readonly reason: string }>()

  function stalledForMs(partition: Partition, nowMs: InstantMs): number {
    const failing = retry.stalls().filter((stall) => stall.partition === null || stall.partition === partition)
    const since = [...failing, ...waitsOf(partition)].map(({ sinceMs }) => sinceMs)
    return since.length === 0 ? 0 : Math.max(0, nowMs - Math.min(...since))
  }

  /** A dependency that gives no answer at all does not fail: it is noticed by missing progress. */
  function waitsOf(partition: Partition): Wait[] {
    const at = seen.get(partition)
    const worker = workers.get(partition)
    if (at === undefined || worker === undefined) return []
    const waits: Wait[] = []
    if (worker.next() === at.next && at.next < at.logNext) {
      const reason = `partition ${partition}: ${at.logNext - at.next} records from ${at.next} on wait to be folded`
      waits.push({ sinceMs: at.movedAtMs, reason })
    }
    if (worker.storedNext() === at.storedNext && at.storedNext < at.next) {
      const reason = `partition ${partition}: records from ${at.storedNext} on are folded and wait for the usage store`
      waits.push({ sinceMs: at.storedAtMs + flushIntervalMs, reason })
    }
    return waits
  }

  return {
    opened(partition) {
      closedDoors.delete(partition)
    },
    openFailed(partition, error) {
      const sinceMs = closedDoors.get(partition)?.sinceMs ?? clock.now()
      closedDoors.set(partition, { sinceMs, reason: error instanceof Error ? error.message : String(error) })
    },
    closed(partition) {
      seen.delete(partition)
    },
    async refresh() {
      await Promise.all(
        [...workers.values()].map(async (worker) => {
          const { next: logNext } = await eventLog.range(worker.partition)
          const next = worker.next()
          const storedNext = worker.storedNext()
          const before = seen.get(worker.partition)
          const nowMs = clock.now()
          const hasMoved = before === undefined || next !== before.next || before.next >= before.logNext
          const hasStored = before === undefined || storedNext !== before.storedNext || before.storedNext >= before.next
          seen.set(worker.partition, {
            ...{ logNext, next, storedNext },
            movedAtMs: hasMoved ? nowMs : before.movedAtMs,
            storedAtMs: hasStored ? nowMs : before.storedAtMs,
          })
        }),
      )
    },
    health() {
      const nowMs = clock.now()
      const open = [...workers.values()].map((worker) => {
        const { partition } = worker
        const next = worker.next()
        const logNext = Math.max(next, seen.get(partition)?.logNext ?? next) as Offset
        return {
          partition,
          next,
          storedNext: worker.storedNext(),
          logNext,
          lagRecords: logNext - next,
          stalledForMs: stalledForMs(partition, nowMs),
        }
      })
      const shut = [...closedDoors].map(([partition, { sinceMs }]) => ({
        ...UNREAD,
        partition,
        stalledForMs: Math.max(1, nowMs - sinceMs),
      }))
      return [...open, ...shut].sort((a, b) => a.partition - b.partition)
    },
    reasons() {
      const nowMs = clock.now()
      const ofWaits = [...workers.keys()].flatMap(waitsOf).flatMap(({ sinceMs, reason }) => {
        const waitedMs = nowMs - sinceMs
        return waitedMs >= stalledAfterMs ? [`${reason}, for ${Math.floor(waitedMs / 1_000)} s`] : []
      })
      const ofSteps = retry.stalls().map(({ operation, reason }) => `could not ${operation}: ${reason}`)
      return [...new Set([...ofSteps, ...ofWaits, ...[...closedDoors.values()].map(({ reason }) => reason)])]
    },
  }
}

const UNREAD = { next: 0 as Offset, storedNext: 0 as Offset, logNext: 0 as Offset, lagRecords: 0 }
