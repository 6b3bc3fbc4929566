import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { InstantMs, Partition } from '../domain/identity.ts'

/** What keeps the aggregator from going on, while it does. `partition` is null when it is all of them. */
export type Stall = {
  readonly operation: string
  readonly partition: Partition | null
  readonly sinceMs: InstantMs
  readonly reason: string
}

/**
 * Does something until it succeeds or `signal` is aborted, later and later: the log holds what is not done yet, so
 * waiting loses nothing. A fault that no retry mends is tried again too, as its cause may be mended from outside.
 */
export type Retry = {
  do<Value>(operation: string, partition: Partition | null, attempt: () => Promise<Value>, signal: AbortSignal): Promise<Value>
  stalls(): readonly Stall[]
}

export function createRetry({ clock, log, onFailure }: { clock: Clock; log: Logger; onFailure: (operation: string) => void }): Retry {
  const stalls = new Map<symbol, Stall>()
  return {
    async do(operation, partition, attempt, signal) {
      const id = Symbol(operation)
      try {
        for (let failures = 0; ; ) {
          if (signal.aborted) throw stopped(operation)
          try {
            return await attempt()
          } catch (error) {
            if (signal.aborted) throw stopped(operation, error)
            failures++
            const retryInMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures - 1, 16))
            const sinceMs = stalls.get(id)?.sinceMs ?? clock.now()
            stalls.set(id, { operation, partition, sinceMs, reason: error instanceof Error ? error.message : String(error) })
            onFailure(operation)
            log.warn({ err: error, operation, partition, failures, retryInMs }, 'aggregator step failed and is tried again')
            await delay(retryInMs, undefined, { signal }).catch(() => undefined)
          }
        }
      } finally {
        stalls.delete(id)
      }
    },
    stalls: () => [...stalls.values()],
  }
}

const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 10_000

function stopped(operation: string, cause?: unknown): Fault {
  return new Fault('aggregator_stopped', `The aggregator stopped before it could ${operation}; the log gives the same records again.`, {
    canRetry: true,
    publicText: 'The aggregator stopped.',
    cause,
  })
}
