import type { CounterDelta } from '../adapters/counters/counters.ts'
import type { StoredEvent } from '../adapters/usage-store/usage-store.ts'
import type { PeriodCursor } from '../domain/calendar.ts'
import type { CustomerKey, InstantMs, Offset, TenantKey } from '../domain/identity.ts'
import { type CompiledMeter, compileMeter, counterStateOf, type Reading } from '../domain/metering.ts'
import { createCounterPeriods, type TrackedFeature } from '../domain/tracked-feature.ts'
import { addToTally, aggregateAt, allot, clearTallies, createTallies, type Tallies, tallyNumbers } from './tally.ts'

/** A tracked feature of one customer, made ready for a stream of events. */
export type FeatureCounter = {
  readonly tracked: TrackedFeature
  readonly compiled: CompiledMeter
  /** Per named dimension of the filter its place in the meter's dimensions, -1 for none, and the values that pass. */
  readonly filter: readonly { readonly place: number; readonly values: ReadonlySet<string> }[]
  readonly periods: PeriodCursor
  /** Events before this are not counted: the periods that they belong to are not kept. */
  readonly trackedFromMs: InstantMs
  pending: PendingDelta | null
}

/** What one record adds to a counter's period. */
export type PendingDelta = {
  readonly counter: FeatureCounter
  readonly customer: CustomerKey
  readonly periodStartMs: InstantMs
  readonly record: Offset
  /** Of its tally. */
  readonly place: number
}

/** Deltas of the record that is being folded. */
export type PendingDeltas = { readonly deltas: PendingDelta[]; readonly tallies: Tallies }

export function createPendingDeltas(): PendingDeltas {
  return { deltas: [], tallies: createTallies() }
}

export function createFeatureCounter(tracked: TrackedFeature, trackedFromMs: InstantMs): FeatureCounter {
  const compiled = compileMeter(tracked.meter)
  return {
    tracked,
    compiled,
    filter: Object.entries(tracked.filter).map(([name, values]) => ({
      place: compiled.dimensionNames.indexOf(name),
      values: new Set(values),
    })),
    periods: createCounterPeriods(tracked),
    trackedFromMs,
    pending: null,
  }
}

export function passesFilter(counter: Pick<FeatureCounter, 'filter'>, dimensions: readonly string[]): boolean {
  for (const { place, values } of counter.filter) if (!values.has(dimensions[place] ?? '')) return false
  return true
}

/** Counts one event for one feature; events of one record and period become one delta. */
export function countInFeature(
  counter: FeatureCounter,
  pending: PendingDeltas,
  event: StoredEvent,
  reading: Reading,
  dimensions: readonly string[],
): void {
  const { offset } = event
  if (event.occurredAtMs < counter.trackedFromMs || !passesFilter(counter, dimensions)) return
  const { startMs } = counter.periods.at(event.occurredAtMs)
  let delta = counter.pending
  if (delta === null || delta.record !== offset || delta.periodStartMs !== startMs) {
    const place = allot(pending.tallies, tallyNumbers(counter.compiled.aggregation))
    delta = { counter, customer: event.customer, periodStartMs: startMs, record: offset, place }
    counter.pending = delta
    pending.deltas.push(delta)
  }
  addToTally(pending.tallies, delta.place, counter.compiled.aggregation, reading, event.occurredAtMs, offset, event.index)
}

/** What the record adds; nothing is pending afterwards. */
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
