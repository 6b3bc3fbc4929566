/** One part of the benchmark. Runs alone in its own process, is bounded in time and stops by itself. */
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
  /** A budget of docs/performance.md: at most `max` or at least `min`, in the figure's unit. */
  readonly budget?: { readonly max: number } | { readonly min: number }
  /** What a reader must know to interpret the figure. */
  readonly note?: string
}

export type BenchOptions = {
  /** Smaller and shorter: to see that the part runs, not to publish its figures. */
  readonly isQuick: boolean
  /** Adds the sizes that take many minutes. */
  readonly isLarge: boolean
  /** The most stored events for the parts that measure among many; null for the part's own default. */
  readonly events: number | null
  /** Where the server writes a CPU profile of its whole run; null for none, as profiling costs time. */
  readonly cpuProfileDir: string | null
}

export type BenchContext = BenchOptions & {
  /** A line of progress for the person who waits. */
  progress(message: string): void
}

export function meetsBudget({ value, budget }: Figure): boolean | null {
  if (budget === undefined) return null
  return 'max' in budget ? value <= budget.max : value >= budget.min
}
