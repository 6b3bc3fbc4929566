import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { ABORTED, untilDone } from '../../../base/until-done.ts'
import type { Offset, Partition } from '../../../domain/identity.ts'
import type { LogHandler, LogRange, LogRecord, LogSubscription } from '../event-log.ts'

export type LmdbSubscription = LogSubscription & {
  /** Reports that records of these partitions have become durable. */
  wake(partitions: ReadonlySet<Partition>): void
  /** The fault that a partition is stuck on, or null. */
  fault(): unknown
}

/** Feeds a handler from every partition at once, each in order and one call at a time. */
export function startLmdbSubscription(options: {
  readonly partitions: number
  readonly handler: LogHandler
  readonly rangeOf: (partition: Partition) => LogRange
  /** The end of the partition's range. */
  readonly nextOf: (partition: Partition) => Offset
  /** At least one record when `from` lies below the durable end; bounded. */
  readonly readFrom: (partition: Partition, from: Offset) => readonly LogRecord[]
  readonly onFailure: () => void
  readonly clock: Clock
  readonly log: Logger
}): LmdbSubscription {
  const { handler, clock, log } = options
  const stopping = new AbortController()
  const sleepers = new Map<Partition, () => void>()
  const faults = new Map<Partition, unknown>()

  async function consume(partition: Partition): Promise<void> {
    const start = await persistently(partition, () => startOf(partition))
    if (start === ABORTED) return
    let position = start
    while (!stopping.signal.aborted) {
      if (position >= options.nextOf(partition)) {
        await asleep(partition)
        continue
      }
      const done = await persistently(partition, async () => {
        const records = options.readFrom(partition, position)
        await handler.records(partition, records)
        return ((records.at(-1)?.offset ?? position - 1) + 1) as Offset
      })
      if (done === ABORTED) break
      position = done
    }
    try {
      await handler.revoked(partition)
    } catch (error) {
      log.error({ err: error, partition }, 'handler failed to let go of a partition')
    }
  }

  async function startOf(partition: Partition): Promise<Offset> {
    const position = await handler.assigned(partition)
    const held = options.rangeOf(partition)
    if (position > held.next) throw behindItsViews(partition, position, held.next)
    if (position < held.start) log.warn({ partition, position, oldest: held.start }, 'resumed at the oldest record held')
    return position
  }

  /** A handler that failed is called again with the same records, at growing intervals, until it succeeds or we stop: nothing is skipped. */
  async function persistently<Value>(partition: Partition, action: () => Promise<Value>): Promise<Value | typeof ABORTED> {
    const done = await untilDone(
      {
        ...{ clock, backoff: RETRY, signal: stopping.signal },
        onFailure({ error, failures, retryInMs }) {
          faults.set(partition, error)
          options.onFailure()
          log.error({ err: error, partition, failures, retryInMs }, 'handler failed on records of the event log')
        },
      },
      action,
    )
    if (done !== ABORTED) faults.delete(partition)
    return done
  }

  function asleep(partition: Partition): Promise<void> {
    return new Promise((resolve) => {
      sleepers.set(partition, resolve)
    })
  }

  function wake(partitions: Iterable<Partition>): void {
    for (const partition of partitions) {
      sleepers.get(partition)?.()
      sleepers.delete(partition)
    }
  }

  const consumers = Array.from({ length: options.partitions }, (_, partition) => consume(partition as Partition))
  return {
    wake,
    fault: () => faults.values().next().value ?? null,
    async stop() {
      stopping.abort()
      wake([...sleepers.keys()])
      await Promise.all(consumers)
    },
  }
}

const RETRY = { firstMs: 100, mostMs: 10_000 }

/** Going on would give new records offsets that the views have already read, so those records would never be counted. */
function behindItsViews(partition: Partition, position: Offset, next: Offset): Fault {
  return new Fault(
    'log_corrupt',
    `Partition ${partition} of the event log ends at offset ${next}, but its views have read up to ${position}: the log was lost or replaced by an older one. Restore it, or start with an empty data directory.`,
    { canRetry: false, publicText: 'The event log does not fit the stored usage.' },
  )
}
