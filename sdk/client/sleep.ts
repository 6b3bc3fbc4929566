export type Sleep = (ms: number, options?: { readonly signal?: AbortSignal; readonly holdsProcess?: boolean }) => Promise<void>

/** Rejects with the signal's reason as soon as it is aborted. */
export const sleep: Sleep = (ms, { signal, holdsProcess = true } = {}) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    if (!holdsProcess) letProcessEnd(timer)
    signal?.addEventListener('abort', onAbort, { once: true })
  })

/** Keeps a timer from holding the process open where it would (Node, Bun, Deno). */
export function letProcessEnd(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
  else if (typeof timer === 'number') (globalThis as { Deno?: { unrefTimer?(timer: number): void } }).Deno?.unrefTimer?.(timer)
}
