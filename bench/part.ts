/** One thing that is measured. Runs alone in a process of its own, is bounded in time and stops by itself. */
export type BenchPart = {
  readonly name: string
  /** One line for the list of parts. */
  readonly about: string
  run(context: BenchContext): Promise<readonly Figure[]>
}

/** One row of the table. */
export type Figure = {
  readonly what: string
  readonly value: number
  readonly unit: string
  /** Of docs/performance.md: at most `max` or at least `min` of the same unit. */
  readonly budget?: { readonly max: number } | { readonly min: number }
  /** What one has to know to read the figure. */
  readonly note?: string
}

export type BenchOptions = {
  /** Smaller and shorter: to see that it runs, not to publish. */
  readonly isQuick: boolean
  /** Adds the sizes that take many minutes. */
  readonly isLarge: boolean
  /** The most stored events for the parts that measure among many; null for the part's own default. */
  readonly events: number | null
  /** Where the server writes a CPU profile of its life; null for none, as profiling costs. */
  readonly cpuProfileDir: string | null
}

export type BenchContext = BenchOptions & {
  /** A line for the person who waits. */
  progress(message: string): void
}

export function meetsBudget({ value, budget }: Figure): boolean | null {
  if (budget === undefined) return null
  return 'max' in budget ? value <= budget.max : value >= budget.min
}
