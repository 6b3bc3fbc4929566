import type { Brand } from './brand.ts'

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type InstantMs = Brand<number, 'InstantMs'>

/** The time, and waiting for it. Handed in everywhere: only the runtime has the real clock, and a test may have one that it moves itself. */
export type Clock = {
  now(): InstantMs
  /** Resolves after `ms`, or as soon as the signal is aborted; never rejects, so whoever can be aborted looks at its signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `work` after each `ms` until the returned function is called, and never while an earlier call is under way. Does not keep a process alive. */
  every(ms: number, work: () => void | Promise<void>): Cancel
  /** Calls `work` once, unless the returned function is called before. Costs one timer and nothing more, as most such calls are called off. */
  after(ms: number, work: () => void): Cancel
  /** Resolves in a later turn of the event loop, when all work that is ready now has run. */
  turn(): Promise<void>
}

export type Cancel = () => void

/** The parts in which a real and a virtual clock differ. */
export type ClockParts = Pick<Clock, 'now' | 'turn'> & {
  /** A timer in the background does not keep a process alive. */
  startTimer(ms: number, work: () => void, isInBackground: boolean): Cancel
}

export function createClock({ now, turn, startTimer }: ClockParts): Clock {
  return {
    now,
    turn,
    after: (ms, work) => startTimer(ms, work, false),
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const end = () => {
          cancel()
          signal?.removeEventListener('abort', end)
          resolve()
        }
        const cancel = startTimer(ms, end, false)
        signal?.addEventListener('abort', end)
      })
    },
    every(ms, work) {
      let isEnded = false
      let cancel = startTimer(ms, run, true)
      async function run(): Promise<void> {
        await work()
        if (!isEnded) cancel = startTimer(ms, run, true)
      }
      return () => {
        isEnded = true
        cancel()
      }
    },
  }
}
