import type { Clock } from '../base/clock.ts'

/** Bytes that requests hold in memory, bounded over all of them. */
export type ByteBudget = {
  held(): number
  /** False when it would exceed the bound: then nothing is taken. When nothing else is held any one piece is. */
  tryTake(bytes: number): boolean
  /** Waits for its turn, first come first served; false after `waitMsMax`. */
  take(bytes: number, waitMsMax: number): Promise<boolean>
  give(bytes: number): void
}

export function createByteBudget(bytesMax: number, clock: Pick<Clock, 'after'>): ByteBudget {
  let heldBytes = 0
  const waiting = new Set<{ readonly bytes: number; readonly grant: (isGranted: boolean) => void }>()

  function tryTake(bytes: number): boolean {
    if (heldBytes > 0 && heldBytes + bytes > bytesMax) return false
    heldBytes += bytes
    return true
  }

  return {
    held: () => heldBytes,
    tryTake,
    take(bytes, waitMsMax) {
      if (waiting.size === 0 && tryTake(bytes)) return Promise.resolve(true)
      return new Promise((resolve) => {
        const waiter = {
          bytes,
          grant(isGranted: boolean) {
            cancel()
            waiting.delete(waiter)
            resolve(isGranted)
          },
        }
        const cancel = clock.after(waitMsMax, () => waiter.grant(false))
        waiting.add(waiter)
      })
    },
    give(bytes) {
      heldBytes -= bytes
      for (const waiter of waiting) {
        if (!tryTake(waiter.bytes)) return
        waiter.grant(true)
      }
    },
  }
}
