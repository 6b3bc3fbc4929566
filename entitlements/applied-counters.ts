import type { AppliedRecord, Counters } from '../adapters/counters/counters.ts'

/** Hears what a process has applied to the counters, right after it is there to be read. */
export type AppliedCounters = { listen(listener: (records: readonly AppliedRecord[]) => void): void }

/** The same counters; without a listener, applying costs what it did. */
export function watchApplied(counters: Counters): { readonly counters: Counters; readonly applied: AppliedCounters } {
  const listeners: ((records: readonly AppliedRecord[]) => void)[] = []
  return {
    counters: {
      ...counters,
      async apply(partition, records) {
        await counters.apply(partition, records)
        for (const listener of listeners) listener(records)
      },
    },
    applied: { listen: (listener) => void listeners.push(listener) },
  }
}
