import { createClock } from '../../base/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'

/** The real time, and the only timers of the process. */
export const systemClock = createClock({
  now: () => Date.now() as InstantMs,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
  startTimer(ms, work, isInBackground) {
    const timer = setTimeout(work, ms)
    if (isInBackground) timer.unref()
    return () => clearTimeout(timer)
  },
})
