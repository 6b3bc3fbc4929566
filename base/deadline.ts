import type { Clock } from './clock.ts'

/** The outcome of work that was not done in time. The work goes on; whoever gave up on it ends it, where it can be ended. */
export const LATE = Symbol('late')

/** The outcome of the work, or `LATE` after `waitMsMax`. Rejects as the work does, unless the work was late. */
export function within<Value>(clock: Pick<Clock, 'after'>, waitMsMax: number, work: Promise<Value>): Promise<Value | typeof LATE> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(waitMsMax, () => resolve(LATE))
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(error)
      },
    )
  })
}
