import type { Counters } from '../adapters/counters/counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../base/clock.ts'
import type { Offset, Partition } from '../domain/identity.ts'

/**
 * Waits until a view shows what the log had when the wait began, so that a caller reads what it was told is durable. Each wait
 * ends after `waitMs` at the latest, whether the view has come so far or not; 0 waits for nothing. Rejects with the faults of the stores.
 */
export type ViewWaits = {
  /** For balances and decisions. */
  counted(waitMs: number): Promise<void>
  /** For usage and lists of events. */
  stored(waitMs: number): Promise<void>
}

export function createViewWaits(deps: {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range'>
  readonly counters: Pick<Counters, 'position'>
  readonly usageStore: Pick<UsageStore, 'positions'>
  readonly clock: Pick<Clock, 'sleep'>
}): ViewWaits {
  const { eventLog, counters, usageStore, clock } = deps
  const partitions = Array.from({ length: eventLog.partitions }, (_, partition) => partition as Partition)

  async function waitUntil(
    waitMs: number,
    firstPauseMs: number,
    haveReached: (ends: readonly Offset[]) => Promise<boolean>,
  ): Promise<void> {
    if (waitMs === 0) return
    const ends = (await Promise.all(partitions.map((partition) => eventLog.range(partition)))).map(({ next }) => next)
    // Waited time is added up, not read from the clock, so that the bound holds whatever the clock does.
    for (let waitedMs = 0, pauseMs = firstPauseMs; !(await haveReached(ends)); pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)) {
      if (waitedMs >= waitMs) return
      const sleepMs = Math.min(pauseMs, waitMs - waitedMs)
      await clock.sleep(sleepMs)
      waitedMs += sleepMs
    }
  }

  return {
    counted: (waitMs) =>
      waitUntil(waitMs, COUNTED_PAUSE_MS, async (ends) => {
        const positions = await Promise.all(partitions.map((partition) => counters.position(partition)))
        return positions.every((position, at) => position >= (ends[at] ?? 0))
      }),
    stored: (waitMs) =>
      waitUntil(waitMs, STORED_PAUSE_MS, async (ends) => {
        const positions = await usageStore.positions()
        return partitions.every((partition, at) => (positions.get(partition) ?? 0) >= (ends[at] ?? 0))
      }),
  }
}

/** Counting takes milliseconds, and asking for a position microseconds or a request to Redis. */
const COUNTED_PAUSE_MS = 4
/** Rows are written once a second, and a look is a query. */
const STORED_PAUSE_MS = 50
const PAUSE_MS_MAX = 100
