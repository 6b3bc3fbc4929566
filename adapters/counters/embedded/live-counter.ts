import { invariant } from '../../../base/invariant.ts'
import type { CustomerKey, FeatureKey, InstantMs, Partition, TenantKey } from '../../../domain/identity.ts'
import { type CounterState, mergeCounterStates, usedQuantity } from '../../../domain/metering/counter-state.ts'
import { PERIODS_KEPT, type TrackedCounter } from '../counters.ts'

/** One customer's counter of one feature in memory, with the state of its rows on disk. */
export type LiveCounter = {
  readonly partition: Partition
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  readonly definition: string
  trackedFromMs: InstantMs
  readonly periodsKept?: number
  readonly periods: Map<InstantMs, LivePeriod>
}

export type LivePeriod = {
  readonly counter: LiveCounter
  readonly startMs: InstantMs
  tally: Tally
  /** Rows on disk have numbers below this one. */
  rows: number
  /** How many unique values those rows hold: the first ones of the tally's list. */
  valuesWritten: number
}

/** A set of unique values is kept as a list that only grows, so that the values new since the last write are its tail. */
type Tally =
  | { readonly kind: 'merged'; readonly state: CounterState }
  | { readonly kind: 'unique'; readonly values: string[]; readonly seen: Set<string> }

export function newPeriod(counter: LiveCounter, startMs: InstantMs, state: CounterState): LivePeriod {
  const period = { counter, startMs, tally: tallyOf(state), rows: 0, valuesWritten: 0 }
  counter.periods.set(startMs, period)
  return period
}

export function countIn(period: LivePeriod, update: CounterState): void {
  const { tally } = period
  if (tally.kind === 'merged') {
    period.tally = { kind: 'merged', state: mergeCounterStates(tally.state, update) }
    return
  }
  invariant(update.kind === 'unique', 'states of one meter are of one kind')
  for (const value of update.values) {
    if (tally.seen.has(value)) continue
    tally.seen.add(value)
    tally.values.push(value)
  }
}

/**
 * Drops all begun periods but the last `periodsKept`, and raises `trackedFromMs` to the first one kept. Periods that have not
 * begun stay, as an event may be ahead of the clock.
 */
export function prunePeriods(counter: LiveCounter, nowMs: InstantMs): LivePeriod[] {
  const { periodsKept = PERIODS_KEPT } = counter
  if (counter.periods.size <= periodsKept) return []
  const begun = [...counter.periods.values()].filter(({ startMs }) => startMs <= nowMs).sort((a, b) => b.startMs - a.startMs)
  const oldestKept = begun[periodsKept - 1]
  const pruned = begun.slice(periodsKept)
  if (oldestKept === undefined || pruned.length === 0) return []
  for (const { startMs } of pruned) counter.periods.delete(startMs)
  counter.trackedFromMs = oldestKept.startMs
  return pruned
}

export function usedUnitsIn(period: LivePeriod | undefined): bigint {
  return period === undefined ? 0n : usedQuantity(sharedStateOf(period))
}

/** A copy that does not change when the counter counts on. */
export function snapshotOf(counter: LiveCounter): TrackedCounter {
  const periods = [...counter.periods.values()].sort((a, b) => a.startMs - b.startMs)
  return {
    feature: counter.feature,
    definition: counter.definition,
    trackedFromMs: counter.trackedFromMs,
    periods: periods.map((period) => ({ startMs: period.startMs, state: snapshotOfState(period) })),
  }
}

/** The state without a copy of unique values: to be used before anything else is counted. */
export function sharedStateOf({ tally }: LivePeriod): CounterState {
  return tally.kind === 'merged' ? tally.state : tally
}

function snapshotOfState(period: LivePeriod): CounterState {
  const state = sharedStateOf(period)
  return state.kind === 'unique' ? { kind: 'unique', values: [...state.values] } : state
}

function tallyOf(state: CounterState): Tally {
  if (state.kind !== 'unique') return { kind: 'merged', state }
  const seen = new Set(state.values)
  return { kind: 'unique', values: [...seen], seen }
}
