import type { CustomerKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { addSeries, createSeriesSet, type SeriesSet } from './series-set.ts'

/**
 * The combinations of dimensions that customers have had in a day under a meter revision. The first `seriesMax` of a day, in the
 * order of the log, keep windows of their own, for the whole day; the usage of all others is added up as `(other)`.
 *
 * A day's combinations are those of its windows in the store and here, so nothing has to be written down, and every start, replay
 * and other process comes to the same (`docs/decisions/0026-series-beyond-the-bound.md`).
 */
export type SeriesDays = { readonly byName: Map<string, SeriesSet>; bytes: number }

export function createSeriesDays(): SeriesDays {
  return { byName: new Map(), bytes: 0 }
}

/** Once every window is stored: what is needed again is read again. */
export function forgetSeriesDays(days: SeriesDays): void {
  days.byName.clear()
  days.bytes = 0
}

export function seriesDayName({ tenant, revision }: Meter, customer: CustomerKey, day: number): string {
  return `${revision} ${day} ${tenant} ${customer}`
}

export function addSeriesDay(days: SeriesDays, name: string, hashes: readonly number[]): void {
  const series = createSeriesSet()
  for (const hash of hashes) addSeries(series, hash)
  days.byName.set(name, series)
  days.bytes += DAY_BYTES + 2 * name.length + series.slots.byteLength
}

/** Measured: a set with its place in the map. */
const DAY_BYTES = 250
