import type { CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import { aggregateOfRow, type CutOffs, DATE_TIME_END_MS, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import { createPeriodLookup, keptPeriods, type TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import { END_OF_TIME_MS, type InstantMs, type Offset, type Period } from '../../domain/identity.ts'
import { type Aggregate, addToAggregate, counterStateOf, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import { countedEvents } from '../../usage/counted-events.ts'
import { readPeriodUsage, type UsageShape } from '../../usage/period-usage.ts'

export type TrackingWork = { readonly customer: CustomerRef; readonly features: readonly TrackedFeature[] }

/**
 * Computes counters from the usage below `at` in the usage store, whose position has passed it: for each feature the periods that
 * it keeps, and any later ones with usage. The meters are complete in the partitions of these customers.
 */
export async function computeCounters(
  usageStore: UsageStore,
  work: readonly TrackingWork[],
  at: Offset,
  nowMs: InstantMs,
): Promise<ReadonlyMap<CustomerRef, readonly TrackedCounter[]>> {
  const wanted = work.flatMap(({ customer, features }) => features.map((tracked) => wantedOf(customer, tracked, nowMs)))
  const cutOffs: CutOffs = new Map(work.map(({ customer }) => [customer.partition, at]))
  for (const group of Map.groupBy(wanted, shapeName).values()) await addUsage(usageStore, group, cutOffs)
  const counters = new Map<CustomerRef, TrackedCounter[]>(work.map(({ customer }) => [customer, []]))
  for (const { customer, tracked, kept, totals } of wanted) {
    const { feature, definition, meter } = tracked
    const periods = [...totals].flatMap(([startMs, aggregate]) => {
      const state = counterStateOf(meter.aggregation, aggregate)
      return state === null ? [] : [{ startMs, state }]
    })
    const keeps = tracked.keptFromMs === null ? {} : { periodsKept: kept.length + PERIODS_TO_COME }
    counters.get(customer)?.push({ feature, definition, trackedFromMs: kept[0]?.startMs ?? nowMs, periods, ...keeps })
  }
  return counters
}

/**
 * Periods to come for which a counter that keeps more than two is complete; it is tracked anew when what is left depends on other
 * periods, or after this many.
 */
const PERIODS_TO_COME = 1_000

/** A single customer may have usage in each minute of months. */
const ROWS_MAX = 1_000_000

/** The needs of one counter: the periods that it keeps, and all time after them. `totals` are filled in, by start of period. */
type Wanted = {
  readonly customer: CustomerRef
  readonly tracked: TrackedFeature
  readonly kept: readonly Period[]
  readonly tail: Period
  readonly totals: Map<InstantMs, Aggregate>
}

function wantedOf(customer: CustomerRef, tracked: TrackedFeature, nowMs: InstantMs): Wanted {
  const kept = keptPeriods(tracked, nowMs)
  const last = kept.at(-1)
  invariant(last !== undefined, 'the period under way is kept')
  return { customer, tracked, kept, tail: { startMs: last.endMs, endMs: END_OF_TIME_MS }, totals: new Map() }
}

function shapeName({ tracked: { meter, filter } }: Wanted): string {
  return JSON.stringify([meter.tenant, meter.revision, filter])
}

/** Counters of one tenant, meter and filter. Most customers that are requested for the first time have no usage yet. */
async function addUsage(usageStore: UsageStore, group: readonly Wanted[], cutOffs: CutOffs): Promise<void> {
  const [first] = group
  if (first === undefined) return
  const { meter, filter } = first.tracked
  const shape: UsageShape = { meter, groupBy: [], filter }
  const asked = group.flatMap((wanted) =>
    [...wanted.kept, wanted.tail].map((period) => ({ wanted, customer: wanted.customer.customer, period })),
  )
  const answers = await readPeriodUsage(usageStore, shape, asked, { cutOffs, rowsMax: ROWS_MAX })
  const withTail: Wanted[] = []
  for (const [index, { wanted, period }] of asked.entries()) {
    const [row] = answers[index] ?? []
    if (row === undefined) continue
    if (period === wanted.tail) withTail.push(wanted)
    else add(wanted, period.startMs, aggregateOfRow(row))
  }
  if (withTail.length > 0) await addTails(usageStore, shape, withTail, cutOffs)
}

/** Usage after the kept periods, mostly in the future, is rare and read event by event, as nobody knows how many periods it spans. */
async function addTails(usageStore: UsageStore, shape: UsageShape, group: readonly Wanted[], cutOffs: CutOffs): Promise<void> {
  const tails = group.map((wanted) => ({ wanted, periods: createPeriodLookup(wanted.tracked) }))
  const byCustomer = Map.groupBy(tails, ({ wanted }) => wanted.customer.customer)
  for (const [partition, toOffset] of cutOffs) {
    const ofPartition = group.filter(({ customer }) => customer.partition === partition)
    if (ofPartition.length === 0) continue
    const scan = {
      customers: [...new Set(ofPartition.map(({ customer }) => customer.customer))],
      fromMs: Math.min(...ofPartition.map(({ tail }) => tail.startMs)) as InstantMs,
      toMs: DATE_TIME_END_MS as InstantMs,
    }
    for await (const { event, reading } of countedEvents(usageStore, shape, { ...scan, partition, toOffset })) {
      for (const { wanted, periods } of byCustomer.get(event.customer) ?? []) {
        if (event.occurredAtMs < wanted.tail.startMs) continue
        const { startMs } = periods.at(event.occurredAtMs)
        add(wanted, startMs, addToAggregate(emptyAggregate, shape.meter.aggregation, reading, event))
      }
    }
  }
}

function add({ totals }: Wanted, startMs: InstantMs, aggregate: Aggregate): void {
  totals.set(startMs, mergeAggregates(totals.get(startMs) ?? emptyAggregate, aggregate))
}
