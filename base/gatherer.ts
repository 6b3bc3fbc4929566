/** Runs a piece of work one at a time; callers who ask while it runs share the next run. */
export type Gatherer = {
  /** Resolves or rejects with a run that began after the call. */
  run(): Promise<void>
  /** Whether a run is under way or about to begin. */
  isBusy(): boolean
  /** Whether a run is about to begin, so that a caller who asks now shares it. */
  isGathering(): boolean
  /** Resolves when every run asked for so far has ended, well or not. */
  settled(): Promise<void>
}

export function createGatherer(work: () => Promise<void>): Gatherer {
  let last: Promise<void> = Promise.resolve()
  let next: Promise<void> | null = null
  let runs = 0

  async function begin(): Promise<void> {
    next = null
    try {
      await work()
    } finally {
      runs--
    }
  }

  return {
    run() {
      if (next === null) {
        runs++
        next = last.then(begin, begin)
        last = next
      }
      return next
    },
    isBusy: () => runs > 0,
    isGathering: () => next !== null,
    settled: () => last.catch(() => undefined),
  }
}
