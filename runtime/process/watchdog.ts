import { Worker } from 'node:worker_threads'
import type { WatchdogData } from './watchdog-thread.ts'

/**
 * Ends this process with SIGKILL when its event loop does not turn for `stuckMs`, so that a supervisor restarts it. A thread of
 * its own looks, as a stuck loop cannot look at itself. Time in which the whole process stands still (a suspended machine,
 * SIGSTOP) does not count: a late look counts as one look.
 */
export function startWatchdog(stuckMs: number): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData: WatchdogData = { beats, looksMax: Math.ceil(stuckMs / LOOK_MS), lookMs: LOOK_MS }
  const worker = new Worker(new URL('./watchdog-thread.ts', import.meta.url), { workerData, execArgv: [] })
  const timer = setInterval(() => void Atomics.add(beats, 0, 1), LOOK_MS / 2)
  worker.unref()
  timer.unref()
}

const LOOK_MS = 1_000
