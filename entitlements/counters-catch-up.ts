import type { Counters } from '../adapters/counters/counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { createSharedWork } from '../base/shared-work.ts'
import type { Offset, Partition } from '../domain/identity.ts'

/**
 * After a crash, counters kept in memory are those of some earlier moment, and the log replays the rest: until then a customer
 * seems to have used less than it was told before. So a hard limit is not judged until the counters have reached the end that the
 * log had when this process first asked.
 */
export type CountersCatchUp = {
  /**
   * Null once the partition has caught up, which it then stays. Until then a wait of at most `CATCH_UP_WAIT_MAX_MS`, which ends
   * with the Fault `counters_rebuilding` (canRetry) if that was not enough.
   */
  wait(partition: Partition): Promise<void> | null
}

export const CATCH_UP_WAIT_MAX_MS = 2_000
const POLL_INTERVAL_MS = 5

export function createCountersCatchUp(deps: {
  readonly counters: Pick<Counters, 'position'>
  readonly eventLog: Pick<EventLog, 'range'>
  readonly clock: Clock
  readonly waitMaxMs?: number
}): CountersCatchUp {
  const { counters, eventLog, clock, waitMaxMs = CATCH_UP_WAIT_MAX_MS } = deps
  const caughtUp = new Set<Partition>()
  const targets = new Map<Partition, Promise<Offset>>()
  const shareWait = createSharedWork<Partition, void>()

  async function isCaughtUp(partition: Partition): Promise<boolean> {
    if (!caughtUp.has(partition) && (await counters.position(partition)) >= (await targetOf(partition))) caughtUp.add(partition)
    return caughtUp.has(partition)
  }

  /** Kept from the first call on: nobody was told of usage that is appended later. */
  function targetOf(partition: Partition): Promise<Offset> {
    const known = targets.get(partition)
    if (known !== undefined) return known
    const target = eventLog.range(partition).then(({ next }) => next)
    targets.set(partition, target)
    target.catch(() => targets.delete(partition))
    return target
  }

  async function waitFor(partition: Partition): Promise<void> {
    // Waited time is added up, not read from the clock, so that the bound holds whatever the clock does.
    for (let waitedMs = 0; !(await isCaughtUp(partition)); waitedMs += POLL_INTERVAL_MS) {
      if (waitedMs >= waitMaxMs) throw rebuilding(partition, waitMaxMs)
      await clock.sleep(POLL_INTERVAL_MS)
    }
  }

  return {
    wait: (partition) => (caughtUp.has(partition) ? null : shareWait(partition, () => waitFor(partition))),
  }
}

function rebuilding(partition: Partition, waitedMs: number): Fault {
  const message = `the counters of partition ${partition} had not caught up with the log within ${waitedMs} ms`
  return new Fault('counters_rebuilding', message, {
    canRetry: true,
    publicText: 'Usage is being counted again after a restart, so a hard limit cannot be judged yet; try again.',
  })
}
