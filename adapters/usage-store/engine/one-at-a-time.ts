import PQueue from 'p-queue'

/** Runs calls one after the other; a signal gives up on the answer, and not on the place of the call. */
export type OneAtATime = <Value>(call: () => Promise<Value>, signal?: AbortSignal) => Promise<Value>

/**
 * A connection of the embedded engine runs one statement at a time, and each further one waits in a thread of the process's pool. A
 * few slow reads would hold all threads, and the event log, which is written and synced in the same pool, would wait for them. So
 * what waits for its connection waits here. A statement that nobody waits for any more runs on in the engine, and keeps its place.
 */
export function createOneAtATime(): OneAtATime {
  const line = new PQueue({ concurrency: 1 })
  return (call, signal) => {
    const called = line.add(async () => {
      signal?.throwIfAborted()
      return await call()
    })
    return signal === undefined ? called : unlessAborted(called, signal)
  }
}

function unlessAborted<Value>(called: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    called.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
