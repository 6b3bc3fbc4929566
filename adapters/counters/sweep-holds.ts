import type { Cancel, Clock } from '../../base/clock.ts'
import type { CounterFile } from './embedded/counter-file.ts'
import type { CounterWriter } from './embedded/counter-writer.ts'
import type { HoldTable } from './embedded/hold-table.ts'

const INTERVAL_MS = 1_000
/** Nothing else runs during a sweep. When more is to be forgotten, the next sweep follows the write of this one. */
const FORGOTTEN_PER_SWEEP_MAX = 500

/** Ends holds that nobody asks about any more, and forgets those that ended long ago. Returns a function that stops it. */
export function sweepHolds(deps: {
  readonly clock: Clock
  readonly holds: HoldTable
  readonly file: CounterFile
  readonly writer: CounterWriter
}): Cancel {
  const { clock, holds, file, writer } = deps
  let isStopped = false

  /** Returns how many holds were forgotten. */
  function sweep(): number {
    const nowMs = clock.now()
    const expired = holds.expire(nowMs)
    const forgotten = holds.forget(file.dueForgetRows(nowMs, FORGOTTEN_PER_SWEEP_MAX))
    if (forgotten + expired > 0) writer.schedule()
    return forgotten
  }

  const cancel = clock.every(INTERVAL_MS, async () => {
    while (!isStopped && sweep() === FORGOTTEN_PER_SWEEP_MAX) {
      const isWritten = await writer.flush().then(
        () => true,
        () => false,
      )
      if (!isWritten) return
    }
  })
  return () => {
    isStopped = true
    cancel()
  }
}
