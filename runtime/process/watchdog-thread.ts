import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

/** `beats` changes at least once per look while the event loop of the process turns. */
export type WatchdogData = { readonly beats: Int32Array; readonly looksMax: number; readonly lookMs: number }

// In a thread `process.stderr` goes through the main thread, which is stuck.
const STDERR = 2
const { beats, looksMax, lookMs } = workerData as WatchdogData
let seen = Atomics.load(beats, 0)
for (let missed = 0; missed < looksMax; ) {
  // Nobody notifies this wait: time alone wakes this thread.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, lookMs)
  const beat = Atomics.load(beats, 0)
  missed = beat === seen ? missed + 1 : 0
  seen = beat
}
const line = { level: 60, time: new Date().toISOString(), stuckMs: looksMax * lookMs, msg: 'process stuck and ended, to be started again' }
try {
  writeSync(STDERR, `${JSON.stringify(line)}\n`)
} finally {
  process.kill(process.pid, 'SIGKILL')
}
