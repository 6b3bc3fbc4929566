import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { seriesDay } from '../../domain/metering/series.ts'
import type { Dimensions } from './dimension-interning.ts'
import type { FoldMeter } from './event-plans.ts'
import { seriesDayName } from './series-days.ts'
import { addSeries, hasSeries } from './series-set.ts'
import { eventsAt } from './tally.ts'
import { findEntry, type WindowCustomer, type WindowFold } from './window-fold.ts'

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
