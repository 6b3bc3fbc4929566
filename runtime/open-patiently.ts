import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'

/**
 * Opens a store that may start later than this process: after a temporary fault it tries again until the time is over, and logs
 * each fault, so that a wrong address shows at once. A fault that no retry can fix ends the start.
 */
export async function openPatiently<Opened>(
  seam: string,
  { waitMs, clock, log }: { readonly waitMs: number; readonly clock: Clock; readonly log: Logger },
  open: () => Promise<Opened>,
): Promise<Opened> {
  const deadlineMs = clock.now() + waitMs
  for (;;) {
    try {
      return await open()
    } catch (error) {
      const leftMs = deadlineMs - clock.now()
      if (!(error instanceof Fault && error.canRetry) || leftMs <= 0) throw error
      log.warn({ seam, reason: error.message, leftMs }, 'store not open yet')
      await clock.sleep(Math.min(RETRY_INTERVAL_MS, leftMs))
    }
  }
}

const RETRY_INTERVAL_MS = 1_000
