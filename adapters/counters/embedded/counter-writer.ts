import type { Logger } from 'pino'
import type { Counter } from 'prom-client'
import type { Cancel, Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { createGatherer } from '../../../base/gatherer.ts'
import type { CounterFile } from './counter-file.ts'
import type { CounterTable } from './counter-table.ts'

/** Brings the file up to the table. One write at a time; changes made meanwhile go into the next one. */
export type CounterWriter = {
  /** Reports a change: a write will follow, at once when many holds wait for one. */
  schedule(): void
  /** Resolves when everything up to this call is on disk. */
  flush(): Promise<void>
  assertOpen(): void
  ping(): Promise<void>
  stop(): Promise<void>
}

export function createCounterWriter(deps: {
  readonly file: CounterFile
  readonly table: CounterTable
  readonly clock: Clock
  readonly log: Logger
  readonly rowsWritten: Counter
  readonly writeFailures: Counter
  readonly flushIntervalMs: number
}): CounterWriter {
  const { file, table, clock, log, rowsWritten, writeFailures, flushIntervalMs } = deps
  let cancelTimer: Cancel | null = null
  let failure: Fault | null = null
  let isStopped = false

  async function write(): Promise<void> {
    const unwritten = table.takeUnwritten()
    if (unwritten === null) return
    log.debug({ rows: unwritten.rows.length }, 'write of counters begun')
    try {
      await file.write(unwritten.rows)
      table.wrote(unwritten)
      rowsWritten.inc(unwritten.rows.length)
      failure = null
    } catch (error) {
      table.giveBack(unwritten)
      writeFailures.inc()
      failure = error as Fault
      throw error
    }
  }
  const writes = createGatherer(write)

  function flush(): Promise<void> {
    cancelTimer?.()
    cancelTimer = null
    return writes.run()
  }
  function schedule(): void {
    const isDue = table.holds.unwrittenCount >= HOLDS_PER_WRITE
    if (isDue && !writes.isGathering() && failure === null) writeInBackground()
    else cancelTimer ??= clock.after(flushIntervalMs, writeInBackground)
  }
  function writeInBackground(): void {
    flush().catch((error: unknown) => {
      log.error({ err: error, retryInMs: flushIntervalMs }, 'counters could not be written')
      if (!isStopped) schedule()
    })
  }
  function assertOpen(): void {
    if (isStopped) throw new Fault('counters_unavailable', 'the counters are stopped', { canRetry: true, publicText: STOPPED_TEXT })
  }
  return {
    schedule,
    flush,
    assertOpen,
    async ping() {
      assertOpen()
      // On a disk that does not answer the ping keeps waiting, and the caller gives up on it.
      await writes.settled()
      if (failure !== null) throw failure
    },
    async stop() {
      if (isStopped) return
      isStopped = true
      try {
        await flush()
      } finally {
        await file.close()
      }
    },
  }
}

/** Nothing else runs while the rows of a write are handed over: about 3 µs for each hold that ended. */
const HOLDS_PER_WRITE = 500
const STOPPED_TEXT = 'This server is stopping; try again.'
