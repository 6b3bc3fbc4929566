export type UsageQuery = {
  /** Only these customers. */
  readonly customer?: string | readonly string[]
  /** Start, inclusive; an instant, or a date that begins in `timezone`. Default: the start of this month. */
  readonly from?: Date | string
  /** End, exclusive. Default: the end of this month. */
  readonly to?: Date | string
  /** Without it a row spans the whole time. */
  readonly window?: 'minute' | 'hour' | 'day' | 'week' | 'month'
  /** IANA name; default UTC. */
  readonly timezone?: string
  /** `customer` and dimensions of the meter. */
  readonly groupBy?: readonly string[]
  /** By dimension, the values that count. */
  readonly filter?: Readonly<Record<string, string | readonly string[]>>
}

export type UsageRow = {
  readonly windowStart: string
  readonly windowEnd: string
  /** An exact decimal; null for min, max, avg and latest of nothing. */
  readonly value: string | null
  readonly events: number
  readonly customer?: string
  readonly dimensions?: Readonly<Record<string, string>>
}

export type Usage = {
  readonly data: readonly UsageRow[]
  /** Every event received before it is counted. */
  readonly asOf: string
  readonly warnings?: readonly { readonly code: 'series_beyond_max'; readonly detail: string }[]
}
