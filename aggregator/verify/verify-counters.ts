import type { CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { EntitlementInputs } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import { createPeriodLookup, type TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import { type Aggregate, addToAggregate, counterStateOf, emptyAggregate, matchesFilter } from '../../domain/metering/metering.ts'
import type { PeriodCursor } from '../../domain/time/calendar.ts'
import { type Difference, showState } from './difference.ts'

export type CounterCheck = {
  /** Counters that can be compared. */
  counters(): number
  addTracked(customer: CustomerRef, tracked: readonly TrackedCounter[], inputs: EntitlementInputs, nowMs: InstantMs): void
  addEvent(event: StoredEvent, data: object): void
  /** An event that may or may not be in the customer's counters, as they were read while it was counted: they are not compared. */
  addUncertain(event: StoredEvent): void
  /** Customers that were left out. */
  uncertain(): number
  differences(): Iterable<Difference>
}

type CheckedCounter = {
  readonly customer: CustomerRef
  readonly feature: TrackedFeature
  readonly found: TrackedCounter
  readonly periods: PeriodCursor
  readonly expected: Map<InstantMs, Aggregate>
}

/** Compares the counters of one partition with the same counters computed from its events. */
export function createCounterCheck(): CounterCheck {
  const byCustomer = new Map<string, CheckedCounter[]>()
  const uncertain = new Set<string>()
  return {
    counters: () => [...byCustomer].reduce((sum, [customer, checked]) => sum + (uncertain.has(customer) ? 0 : checked.length), 0),
    addTracked(customer, tracked, inputs, nowMs) {
      const current = new Map(trackedFeatures(inputs, nowMs).map((feature) => [feature.definition, feature]))
      const checked: CheckedCounter[] = []
      for (const found of tracked) {
        const feature = current.get(found.definition)
        // Nobody reads a counter under an old definition: the next decision has it tracked anew.
        if (feature === undefined || feature.feature !== found.feature) continue
        checked.push({ customer, feature, found, periods: createPeriodLookup(feature), expected: new Map() })
      }
      byCustomer.set(`${customer.tenant}\0${customer.customer}`, checked)
    },
    addEvent(event, data) {
      for (const counter of byCustomer.get(`${event.tenant}\0${event.customer}`) ?? []) count(counter, event, data)
    },
    addUncertain({ tenant, customer }) {
      const key = `${tenant}\0${customer}`
      if (byCustomer.has(key)) uncertain.add(key)
    },
    uncertain: () => uncertain.size,
    *differences() {
      for (const [customer, checked] of byCustomer)
        if (!uncertain.has(customer)) for (const counter of checked) yield* differencesOf(counter)
    },
  }
}

function count({ feature, found, periods, expected }: CheckedCounter, event: StoredEvent, data: object): void {
  const { meter, filter } = feature
  if (event.occurredAtMs < beginOf(feature)) return
  const read = readEvent(meter, event, data)
  if (read === null) return
  const { startMs } = periods.at(event.occurredAtMs)
  if (startMs < found.trackedFromMs || !matchesFilter(filter, read.dimensions)) return
  expected.set(startMs, addToAggregate(expected.get(startMs) ?? emptyAggregate, meter.aggregation, read.reading, event))
}

function* differencesOf({ customer, feature, found, expected }: CheckedCounter): Iterable<Difference> {
  const stored = new Map(found.periods.filter(({ startMs }) => startMs >= beginOf(feature)).map(({ startMs, state }) => [startMs, state]))
  for (const startMs of new Set([...expected.keys(), ...stored.keys()])) {
    const wanted = showState(counterStateOf(feature.meter.aggregation, expected.get(startMs) ?? emptyAggregate))
    const counted = showState(stored.get(startMs) ?? null)
    if (wanted === counted) continue
    const where = `feature ${feature.feature}, customer ${customer.customer}, period from ${new Date(startMs).toISOString()}`
    yield { view: 'counters', where, expected: wanted, found: counted }
  }
}

/** Before this instant a counter may hold anything, as nobody reads it. */
function beginOf({ keptFromMs, schedule }: TrackedFeature): InstantMs {
  return keptFromMs ?? schedule.fromMs
}
