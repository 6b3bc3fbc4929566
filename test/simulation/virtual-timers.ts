/** Timers on a clock that moves only when it is told to: takes the place of Node's own while a simulation runs. */
export type VirtualTimers = {
  nowMs(): number
  /** Moves the clock and calls what falls due. A timer that repeats is called once, however far the clock moves. */
  advance(byMs: number): void
  set(callback: () => void, afterMs: number, isRepeating: boolean): VirtualTimer
  clear(timer: VirtualTimer | undefined): void
}

export type VirtualTimer = { readonly unref: () => void; readonly ref: () => void }

type Entry = VirtualTimer & { readonly callback: () => void; dueMs: number; readonly repeatMs: number | null }

export function createVirtualTimers(startMs: number): VirtualTimers {
  let nowMs = startMs
  const entries = new Set<Entry>()
  const noop = () => undefined
  return {
    nowMs: () => nowMs,
    advance(byMs) {
      nowMs += byMs
      const due = [...entries].filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs)
      for (const entry of due) {
        // One that was called before may have cleared it.
        if (!entries.has(entry)) continue
        if (entry.repeatMs === null) entries.delete(entry)
        else entry.dueMs = nowMs + entry.repeatMs
        entry.callback()
      }
    },
    set(callback, afterMs, isRepeating) {
      const entry: Entry = { callback, dueMs: nowMs + Math.max(0, afterMs), repeatMs: isRepeating ? afterMs : null, ref: noop, unref: noop }
      entries.add(entry)
      return entry
    },
    clear(timer) {
      if (timer !== undefined) entries.delete(timer as Entry)
    },
  }
}

let installed: VirtualTimers | null = null

/** Until the returned function is called, `setTimeout` and `setInterval` everywhere, and `delay`, are these. */
export function installVirtualTimers(timers: VirtualTimers): () => void {
  const real = { setTimeout, clearTimeout, setInterval, clearInterval }
  installed = timers
  const clear = (timer: VirtualTimer | undefined) => timers.clear(timer)
  Object.assign(globalThis, {
    setTimeout: (callback: () => void, afterMs = 0) => timers.set(callback, afterMs, false),
    setInterval: (callback: () => void, afterMs = 0) => timers.set(callback, afterMs, true),
    clearTimeout: clear,
    clearInterval: clear,
  })
  return () => {
    installed = null
    Object.assign(globalThis, real)
  }
}

/** In place of `setTimeout` of `node:timers/promises`. */
export function delay<Value>(afterMs = 0, value?: Value, options: { readonly signal?: AbortSignal } = {}): Promise<Value | undefined> {
  const timers = installed
  if (timers === null) throw new Error('no simulation is running')
  const { signal } = options
  return new Promise((resolve, reject) => {
    const abort = () => {
      timers.clear(timer)
      reject(new Error('The operation was aborted'))
    }
    const timer = timers.set(
      () => {
        signal?.removeEventListener('abort', abort)
        resolve(value)
      },
      afterMs,
      false,
    )
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
