import type { CounterDelta } from '../../adapters/counters/counters.ts'
import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import { createPeriodLookup, type TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import type { CustomerKey, InstantMs, Offset, TenantKey } from '../../domain/identity.ts'
import { type CompiledMeter, compileMeter, type Reading } from '../../domain/metering/expressions/compiled-meter.ts'
import type { Aggregation } from '../../domain/metering/meter.ts'
import { counterStateOf } from '../../domain/metering/metering.ts'
import type { PeriodCursor } from '../../domain/time/calendar.ts'
import { addToTally, aggregateAt, allot, clearTallies, createTallies, type Tallies, tallyNumbers } from './tally.ts'

/** A tracked feature of one customer, prepared for a stream of events. */
export type FeatureCounter = {
  readonly tracked: TrackedFeature
  readonly compiled: CompiledMeter
  /** For each dimension of the filter, its place in the meter's dimensions (-1 when the meter lacks it) and the values that pass. */
  readonly filter: readonly { readonly place: number; readonly values: ReadonlySet<string> }[] | null
  readonly periods: PeriodCursor
  /**
   * In one array, as an event needs all of them: when counting begins (earlier periods are not kept), and start and end of the
   * period last counted in.
   */
  readonly boundsMs: [trackedFromMs: number, startMs: number, endMs: number]
  pending: PendingDelta | null
}

/** What one record adds to a counter's period. */
export type PendingDelta = {
  readonly counter: FeatureCounter
  readonly customer: CustomerKey
  readonly periodStartMs: InstantMs
  readonly record: Offset
  /** Place of its tally. */
  readonly place: number
}

/** Deltas of the record that is being folded. */
export type PendingDeltas = { readonly deltas: PendingDelta[]; readonly tallies: Tallies }

export function createPendingDeltas(): PendingDeltas {
  return { deltas: [], tallies: createTallies() }
}

export function createFeatureCounter(tracked: TrackedFeature, trackedFromMs: InstantMs): FeatureCounter {
  const compiled = compileMeter(tracked.meter)
  const filter = Object.entries(tracked.filter).map(([name, values]) => ({
    place: compiled.dimensionNames.indexOf(name),
    values: new Set(values),
  }))
  return {
    tracked,
    compiled,
    filter: filter.length === 0 ? null : filter,
    periods: createPeriodLookup(tracked),
    boundsMs: [trackedFromMs, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    pending: null,
  }
}

/** Counts one event for one feature; events of one record and period become one delta. */
export function countInFeature(
  counter: FeatureCounter,
  pending: PendingDeltas,
  event: StoredEvent,
  aggregation: Aggregation,
  reading: Reading,
  dimensions: readonly string[],
): void {
  const { offset, occurredAtMs } = event
  const { boundsMs } = counter
  if (occurredAtMs < boundsMs[0] || (counter.filter !== null && !passes(counter.filter, dimensions))) return
  if (occurredAtMs < boundsMs[1] || occurredAtMs >= boundsMs[2]) {
    const period = counter.periods.at(occurredAtMs)
    boundsMs[1] = period.startMs
    boundsMs[2] = period.endMs
  }
  const startMs = boundsMs[1] as InstantMs
  let delta = counter.pending
  if (delta === null || delta.record !== offset || delta.periodStartMs !== startMs) {
    const place = allot(pending.tallies, tallyNumbers(aggregation))
    delta = { counter, customer: event.customer, periodStartMs: startMs, record: offset, place }
    counter.pending = delta
    pending.deltas.push(delta)
  }
  addToTally(pending.tallies, delta.place, aggregation, reading, occurredAtMs, offset, event.index)
}

/** The deltas of the record; nothing is pending afterwards. */
export function takeDeltas(tenant: TenantKey, pending: PendingDeltas): CounterDelta[] {
  const deltas: CounterDelta[] = []
  for (const { counter, customer, periodStartMs, place } of pending.deltas) {
    const { feature, definition, meter } = counter.tracked
    counter.pending = null
    const update = counterStateOf(meter.aggregation, aggregateAt(pending.tallies, place, meter.aggregation))
    if (update !== null) deltas.push({ tenant, customer, feature, definition, periodStartMs, update })
  }
  pending.deltas.length = 0
  clearTallies(pending.tallies)
  return deltas
}

function passes(filter: NonNullable<FeatureCounter['filter']>, dimensions: readonly string[]): boolean {
  for (const { place, values } of filter) if (!values.has(dimensions[place] ?? '')) return false
  return true
}
