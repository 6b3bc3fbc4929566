import { createClock } from '../../base/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'

/** A clock that stands still where it was set, whose timers run as the machine's do: for a server whose months a test turns itself. */
export function createSettableClock(startMs: InstantMs) {
  let nowMs = startMs
  const clock = createClock({
    now: () => nowMs,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    startTimer(ms, work, isInBackground) {
      const timer = setTimeout(work, ms)
      if (isInBackground) timer.unref()
      return () => clearTimeout(timer)
    },
  })
  return {
    clock,
    set(ms: InstantMs) {
      nowMs = ms
    },
  }
}
