import { type Backoff, backoffMs } from './backoff.ts'
import type { Clock } from './clock.ts'

/** The outcome of an action that was given up because its signal was aborted. */
export const ABORTED = Symbol('aborted')

export type Failure = {
  readonly error: unknown
  /** Failures in a row, from 1. */
  readonly failures: number
  readonly retryInMs: number
}

/** Tries an action that may not be skipped again, at growing intervals, until it succeeds or the signal is aborted. Never rejects. */
export async function untilDone<Value>(
  options: {
    readonly clock: Pick<Clock, 'sleep'>
    readonly backoff: Backoff
    readonly signal: AbortSignal
    readonly onFailure: (failure: Failure) => void
  },
  action: () => Promise<Value>,
): Promise<Value | typeof ABORTED> {
  const { clock, backoff, signal, onFailure } = options
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await action()
    } catch (error) {
      if (signal.aborted) return ABORTED
      const retryInMs = backoffMs(backoff, failures)
      onFailure({ error, failures, retryInMs })
      await clock.sleep(retryInMs, signal)
    }
  }
  return ABORTED
}
