import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { ABORTED, type Failure, untilDone } from '../base/until-done.ts'
import type { InstantMs, Partition } from '../domain/identity.ts'

/** The failure that keeps the aggregator from going on, while it lasts. `partition` is null when it concerns all partitions. */
export type Stall = {
  readonly operation: string
  readonly partition: Partition | null
  readonly sinceMs: InstantMs
  readonly reason: string
}

/**
 * Repeats an action at growing intervals until it succeeds or `signal` is aborted: the log keeps what is not done yet, so waiting
 * loses nothing. A fault that no retry can fix is tried again too, as its cause may be removed from outside.
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
      const failed = ({ error, failures, retryInMs }: Failure) => {
        const sinceMs = stalls.get(id)?.sinceMs ?? clock.now()
        stalls.set(id, { operation, partition, sinceMs, reason: error instanceof Error ? error.message : String(error) })
        onFailure(operation)
        log.warn({ err: error, operation, partition, failures, retryInMs }, 'aggregator step failed and is tried again')
      }
      try {
        const done = await untilDone({ clock, backoff: RETRY, signal, onFailure: failed }, attempt)
        if (done === ABORTED) throw stopped(operation)
        return done
      } finally {
        stalls.delete(id)
      }
    },
    stalls: () => [...stalls.values()],
  }
}

const RETRY = { firstMs: 100, mostMs: 10_000 }

function stopped(operation: string): Fault {
  return new Fault('aggregator_stopped', `The aggregator stopped before it could ${operation}; the log gives the same records again.`, {
    canRetry: true,
    publicText: 'The aggregator stopped.',
  })
}
