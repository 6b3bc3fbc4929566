import type { Logger } from 'pino'
import { Gauge, type Registry } from 'prom-client'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../domain/clock.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'

export type AggregatorLag = {
  /** As of the last look, which is at most `LOOK_INTERVAL_MS` and one query old. */
  read(): { readonly ok: boolean; readonly lagRecords: number; readonly stalledMs: number }
  stop(): void
}

const LOOK_INTERVAL_MS = 1_000

/**
 * Watches the positions in the usage store against the ends of the log, from outside the aggregator: one that hangs
 * cannot say so itself. A partition is stalled when it has records to read and its position has not moved for `stalledAfterMs`.
 */
export function watchAggregatorLag(options: {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range'>
  readonly usageStore: Pick<UsageStore, 'positions'>
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly stalledAfterMs: number
}): AggregatorLag {
  const { eventLog, usageStore, clock, log, stalledAfterMs } = options
  const lagGauge = new Gauge({
    name: 'tollgate_aggregator_lag_records',
    help: 'Records of the event log that the usage store has yet to hold',
    labelNames: ['partition'] as const,
    registers: [options.registry],
  })
  const movedAtMs = new Map<Partition, { position: Offset; atMs: InstantMs }>()
  let last = { ok: true, lagRecords: 0, stalledMs: 0 }
  let isLooking = false

  async function look(): Promise<void> {
    const positions = await usageStore.positions()
    const nowMs = clock.now()
    let lagRecords = 0
    let stalledMs = 0
    for (let number = 0; number < eventLog.partitions; number++) {
      const partition = number as Partition
      const position = positions.get(partition) ?? (0 as Offset)
      const { next } = await eventLog.range(partition)
      const lag = Math.max(0, next - position)
      lagGauge.set({ partition: number }, lag)
      lagRecords += lag
      const moved = movedAtMs.get(partition)
      if (moved === undefined || lag === 0 || moved.position !== position) movedAtMs.set(partition, { position, atMs: nowMs })
      else stalledMs = Math.max(stalledMs, nowMs - moved.atMs)
    }
    last = { ok: stalledMs < stalledAfterMs, lagRecords, stalledMs }
  }

  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    look()
      .catch((error: unknown) => log.warn({ err: error }, 'aggregator lag not read'))
      .finally(() => {
        isLooking = false
      })
  }, LOOK_INTERVAL_MS)
  timer.unref()
  return { read: () => last, stop: () => clearInterval(timer) }
}
