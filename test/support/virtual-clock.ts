import { type Cancel, type Clock, createClock, type InstantMs } from '../../base/clock.ts'

/** A clock that moves only when it is told to, so that a month of waiting takes a moment and goes the same way each time. */
export type VirtualClock = Clock & {
  /** Moves the clock and runs the timers that fall due on the way, the earliest first. Timers set meanwhile wait for the next move. */
  advance(byMs: number): void
}

export function createVirtualClock(startMs: number): VirtualClock {
  let nowMs = startMs
  const timers = new Set<{ readonly dueMs: number; readonly work: () => void }>()

  function startTimer(ms: number, work: () => void): Cancel {
    const timer = { dueMs: nowMs + Math.max(0, ms), work }
    timers.add(timer)
    return () => timers.delete(timer)
  }

  return {
    ...createClock({ now: () => nowMs as InstantMs, turn: () => Promise.resolve(), startTimer }),
    advance(byMs) {
      nowMs += byMs
      const due = [...timers].filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs)
      for (const timer of due) {
        // A timer that ran before may have cancelled this one.
        if (timers.delete(timer)) timer.work()
      }
    },
  }
}
