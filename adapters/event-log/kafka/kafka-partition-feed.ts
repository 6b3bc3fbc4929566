import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { ABORTED, untilDone } from '../../../base/until-done.ts'
import type { Offset, Partition } from '../../../domain/identity.ts'
import type { LogHandler, LogRecord } from '../event-log.ts'

/** One assigned partition: its fetched and unhandled records, and the handler's calls for it, one at a time. */
export type KafkaPartitionFeed = {
  readonly partition: Partition
  /** Where the next fetch starts, or null while enough records wait or the handler has not said where to start. */
  fetchFrom(): Offset | null
  /** Takes the records of a fetch from `from`, unless the feed has moved on since. */
  offer(from: Offset, records: readonly LogRecord[]): void
  /** Goes on at `to`: the records before it are gone from the log. */
  skip(from: Offset, to: Offset): void
  /** The error that it is stuck on, or null. */
  fault(): unknown
  setFault(fault: unknown): void
  /** Resolves when the handler has let go of the partition. Waiting records are dropped: the next owner reads them again. */
  close(): Promise<void>
}

export function startKafkaPartitionFeed(options: {
  readonly partition: Partition
  readonly handler: LogHandler
  readonly onHungry: () => void
  readonly onFailure: () => void
  readonly clock: Clock
  readonly log: Logger
}): KafkaPartitionFeed {
  const { partition, handler, clock, log } = options
  const closing = new AbortController()
  let waiting: LogRecord[] = []
  let waitingBytes = 0
  let next: Offset | null = null
  let fault: unknown = null
  let wake: () => void = () => undefined

  async function consume(): Promise<void> {
    const start = await persistently(() => handler.assigned(partition))
    if (start !== ABORTED) {
      next = start
      options.onHungry()
      while (!closing.signal.aborted) {
        const records = take()
        if (records.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        else if ((await persistently(() => handler.records(partition, records))) === ABORTED) break
      }
    }
    next = null
    try {
      await handler.revoked(partition)
    } catch (error) {
      log.error({ err: error, partition }, 'handler failed to let go of a partition')
    }
  }

  function take(): readonly LogRecord[] {
    const wasFull = isFull()
    const taken: LogRecord[] = []
    let bytes = 0
    for (const record of waiting) {
      if (taken.length > 0 && (taken.length >= HANDLED_RECORDS_MAX || bytes + record.value.length > HANDLED_BYTES_MAX)) break
      taken.push(record)
      bytes += record.value.length
    }
    waiting = waiting.slice(taken.length)
    waitingBytes -= bytes
    if (wasFull && !isFull()) options.onHungry()
    return taken
  }

  function isFull(): boolean {
    return waitingBytes >= WAITING_BYTES_MAX || waiting.length >= WAITING_RECORDS_MAX
  }

  /** A handler that failed is called again with the same records, at growing intervals, until it succeeds or we stop: nothing is skipped. */
  async function persistently<Value>(action: () => Promise<Value>): Promise<Value | typeof ABORTED> {
    const done = await untilDone(
      {
        ...{ clock, backoff: RETRY, signal: closing.signal },
        onFailure({ error, failures, retryInMs }) {
          fault = error
          options.onFailure()
          log.error({ err: error, partition, failures, retryInMs }, 'handler failed on records of the event log')
        },
      },
      action,
    )
    if (done !== ABORTED) fault = null
    return done
  }

  const consuming = consume()
  return {
    partition,
    fetchFrom: () => (closing.signal.aborted || isFull() ? null : next),
    offer(from, records) {
      const last = records.at(-1)
      if (next !== from || last === undefined) return
      next = (last.offset + 1) as Offset
      fault = null
      waiting.push(...records)
      waitingBytes += records.reduce((bytes, { value }) => bytes + value.length, 0)
      wake()
    },
    skip(from, to) {
      if (next === from) next = to
    },
    fault: () => fault,
    setFault(found) {
      fault = found
    },
    close() {
      closing.abort()
      wake()
      return consuming
    },
  }
}

const HANDLED_RECORDS_MAX = 64
const HANDLED_BYTES_MAX = 4 * 1024 * 1024
/** Bytes fetched ahead, so that a handler is not idle while the next fetch is under way. */
const WAITING_BYTES_MAX = 2 * 1024 * 1024
const WAITING_RECORDS_MAX = 256
const RETRY = { firstMs: 100, mostMs: 10_000 }
