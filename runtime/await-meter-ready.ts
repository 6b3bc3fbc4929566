import { setTimeout as delay } from 'node:timers/promises'
import type { Meter } from '../domain/meter.ts'

/** A meter without events before it is complete in a few of these. */
const LOOK_INTERVAL_MS = 25

/** Looks until the meter is complete or the signal aborts; false when the signal was first. */
export function awaitMeterReady(isReady: (meter: Meter) => Promise<boolean>) {
  return async (meter: Meter, signal: AbortSignal): Promise<boolean> => {
    while (!(await isReady(meter))) {
      if (signal.aborted) return false
      await delay(LOOK_INTERVAL_MS)
    }
    return true
  }
}
