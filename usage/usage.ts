import type { Counters } from '../adapters/counters/counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../base/clock.ts'
import type { InstantMs } from '../domain/identity.ts'
import { createCompleteUntil } from './complete-until.ts'
import { createUsageReader, type UsageReader } from './usage-reader.ts'
import { createViewWaits, type ViewWaits } from './view-waits.ts'

/** Answers the stages' questions about usage; one per process, so that questions asked at the same time are read together. */
export type Usage = {
  readonly reader: UsageReader
  /** All events received before this instant are in the other answers. */
  readonly completeUntil: () => Promise<InstantMs>
  readonly waits: ViewWaits
}

export function createUsage(deps: {
  readonly usageStore: UsageStore
  readonly counters: Counters
  readonly eventLog: EventLog
  readonly clock: Clock
}): Usage {
  const { usageStore, counters, eventLog, clock } = deps
  return {
    reader: createUsageReader({ usageStore, partitions: eventLog.partitions, clock }),
    completeUntil: createCompleteUntil({ eventLog, usageStore, clock }),
    waits: createViewWaits({ eventLog, counters, usageStore, clock }),
  }
}
