import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { seriesDay } from '../../domain/metering/series.ts'
import type { Dimensions } from './dimension-interning.ts'
import type { FoldMeter } from './event-plans.ts'
import { addSeries, createSeriesSet, hasSeries, type SeriesSet } from './series-set.ts'
import { eventsAt } from './tally.ts'
import { findEntry, type WindowCustomer, type WindowFold } from './window-fold.ts'

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

/** The dimensions under which a meter of a checked group counts an event: its own, or those of what is beyond the bound. */
export function dimensionsWithin(
  fold: WindowFold,
  { meter, group, tallyPlace }: FoldMeter,
  customer: WindowCustomer,
  event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs },
  dimensions: Dimensions,
): Dimensions {
  const entry = findEntry(fold, customer, dimensions, event.occurredAtMs)
  if (entry !== 0 && eventsAt(fold.table.tallies, entry + tallyPlace) > 0) return dimensions
  const { byName } = fold.series
  const series = byName.get(seriesDayName(meter, event.customer, seriesDay(event.occurredAtMs)))
  invariant(series !== undefined, 'the days of a run are known before it is folded')
  if (hasSeries(series, dimensions.hash)) return dimensions
  if (series.size >= group.series.seriesMax) return group.dimensions.other(fold.interned)
  const bytesBefore = series.slots.byteLength
  addSeries(series, dimensions.hash)
  fold.series.bytes += series.slots.byteLength - bytesBefore
  return dimensions
}

/** Measured: a set with its place in the map. */
const DAY_BYTES = 250
