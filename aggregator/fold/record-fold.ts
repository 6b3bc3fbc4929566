import type { CounterDelta, SettledHold } from '../../adapters/counters/counters.ts'
import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { NO_DATA, parsedData } from '../../domain/metering/event-data.ts'
import { type CompiledMeter, isNoted, type Unreadable } from '../../domain/metering/expressions/compiled-meter.ts'
import { isAdditive } from '../../domain/metering/meter.ts'
import type { UsageEvent, UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { dimensionsOfReport, readUsageReport, settledReservationIn, USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import { countInFeature, createPendingDeltas, type FeatureCounter, type PendingDeltas, takeDeltas } from './counter-fold.ts'
import type { Dimensions } from './dimension-interning.ts'
import type { EventPlan, FoldMeter, MeterLookup } from './event-plans.ts'
import { dimensionsWithin } from './series-bound.ts'
import { countInEntry, enterRecord, openEntry, type WindowCustomer, type WindowFold } from './window-fold.ts'

/** A record of the log, decoded. */
export type FoldRecord = UsageEventBatch & { readonly offset: Offset; readonly receivedAtMs: InstantMs }

/** The state that a partition keeps of one customer. */
export type FoldCustomer = WindowCustomer & {
  /** Features whose counters follow this customer, by event type; null when none do. */
  counters: ReadonlyMap<string, readonly FeatureCounter[]> | null
  /** The same, prepared for the meters of each plan, and of the plan used last. */
  readonly followingByPlan: Following[]
  following: Following | null
}

export function createFoldCustomer(counters: FoldCustomer['counters']): FoldCustomer {
  return { number: -1, counters, followingByPlan: [], following: null }
}

/** Everything the fold of one partition keeps between records. Changed in place, as there is no other reference to it. */
export type FoldState = {
  readonly partition: Partition
  readonly windows: WindowFold
  /** The first record not yet folded. */
  next: Offset
  /** Accepted events not yet taken by a flush. */
  events: StoredEvent[]
  /** Rows of records below this are in the usage store: a restart folds them again only for the chunk's totals. */
  storedNext: Offset
  /** The counters have applied the deltas of records below this. */
  countersNext: Offset
  /** Empty between records. */
  readonly pending: PendingDeltas
  readonly tally: FoldTally
}

/** Counts of the fold so far, for metrics. */
export type FoldTally = {
  accepted: number
  repeated: number
  /** Values that were not counted, by reason. */
  readonly unreadable: Record<Unreadable, number>
  /** Values that counted, rounded. */
  rounded: number
  /** Values that counted as `(other)`, beyond `seriesMax`. */
  other: number
}

export function createFoldState(windows: WindowFold, next: Offset, storedNext: Offset, countersNext: Offset): FoldState {
  const unreadable = { missing: 0, not_a_number: 0, not_exact: 0, too_large: 0, negative: 0 }
  const tally = { accepted: 0, repeated: 0, unreadable, rounded: 0, other: 0 }
  return { partition: windows.partition, windows, next, events: [], storedNext, countersNext, pending: createPendingDeltas(), tally }
}

/** What the fold needs from outside for one record; all of it depends on the log and on activations alone. */
export type FoldContext = MeterLookup & {
  customerAt(index: number): FoldCustomer
  /** Called once per event, in order, right before it is counted. */
  isRepeat(index: number, event: UsageEvent): boolean
  accepted(index: number, event: StoredEvent): void
  /** Resolves the `set` reports of the record; null when it has none. */
  readonly sets: SetResolution | null
}

/** Turns the quantity that a `set` report sets into the delta that it adds. Sees every accepted event, in order. */
export type SetResolution = {
  /** The event with the delta in its data. */
  resolved(event: StoredEvent): StoredEvent
  counted(event: StoredEvent): void
}

export type FoldedRecord = { readonly deltas: readonly CounterDelta[]; readonly settles: readonly SettledHold[] }

/**
 * Folds one record: drops repeats, counts the other events into windows and counters, keeps the rows for the next flush. Depends
 * on nothing but its arguments.
 */
export function foldRecord(state: FoldState, record: FoldRecord, context: FoldContext): FoldedRecord {
  const { offset, tenant, events } = record
  enterRecord(state.windows, offset)
  const { pending } = state
  let settles: SettledHold[] | null = null
  for (let index = 0; index < events.length; index++) {
    const event = events[index]
    if (event === undefined) continue
    const isReport = event.type === USAGE_REPORT_TYPE
    const reservation = settledReservationIn(event)
    // A repeat ends its hold too: the first was counted, perhaps into counters that have been computed anew since.
    if (reservation !== null) {
      settles ??= []
      settles.push({ tenant, customer: event.customer, id: reservation })
    }
    if (context.isRepeat(index, event)) {
      state.tally.repeated++
      continue
    }
    let stored = storedEvent(record, event, state.partition, index)
    if (isReport && context.sets !== null) stored = context.sets.resolved(stored)
    context.accepted(index, stored)
    context.sets?.counted(stored)
    state.tally.accepted++
    if (offset >= state.storedNext) state.events.push(stored)
    countEvent(state, stored, context, context.customerAt(index))
  }
  state.next = (offset + 1) as Offset
  if (pending.deltas.length === 0 && settles === null) return NOTHING_FOLDED
  return { deltas: takeDeltas(tenant, pending), settles: settles ?? [] }
}

const NOTHING_FOLDED: FoldedRecord = { deltas: [], settles: [] }

/** Counts one accepted event wherever it counts; a backfill counts stored events with it too. */
export function countEvent(state: FoldState, event: StoredEvent, lookup: MeterLookup, customer: FoldCustomer): void {
  if (event.type === USAGE_REPORT_TYPE) {
    countReport(state, event, lookup, customer)
    return
  }
  const plan = lookup.planOf(event.tenant, event.type)
  const following = event.offset < state.countersNext || customer.counters === null ? null : followingOf(customer, plan, event.type)
  const data = plan === undefined ? NO_DATA : countInPlan(state, event, plan, customer, following)
  if (following === null || following.others.length === 0) return
  const parsed = data === NO_DATA ? parsedData(event.data) : data
  for (const counter of following.others) {
    const { compiled } = counter
    const { aggregation } = compiled
    const read = compiled.read(parsed)
    if (typeof read === 'string') continue
    countInFeature(counter, state.pending, event, aggregation, isNoted(read) ? read.quantity : read, compiled.readDimensions(parsed))
  }
}

/** Returns the event's data if it was parsed. */
function countInPlan(state: FoldState, event: StoredEvent, plan: EventPlan, customer: FoldCustomer, following: Following | null): object {
  const { offset, index, occurredAtMs } = event
  let data = NO_DATA
  let at = 0
  for (const group of plan.groups) {
    if (group.needsData && data === NO_DATA) data = parsedData(event.data)
    const dimensions = group.dimensions.read(data, state.windows.interned)
    let entry = NO_ENTRY
    for (const foldMeter of group.meters) {
      const read = foldMeter.compiled.read(data)
      const counters = following === null ? undefined : following.byMeter[at]
      at++
      const isCounted = offset >= foldMeter.fromOffset && offset < foldMeter.toOffset
      if (typeof read === 'string') {
        if (isCounted && read !== 'not_selected') state.tally.unreadable[read]++
        continue
      }
      const reading = isNoted(read) ? read.quantity : read
      if (isNoted(read) && isCounted) state.tally.rounded++
      if (isCounted) {
        if (group.series.isChecked) entry = openEntryWithin(state, foldMeter, customer, event, dimensions)
        else if (entry === NO_ENTRY) entry = openEntry(state.windows, group, customer, event, dimensions)
        countInEntry(state.windows, entry, foldMeter, reading, occurredAtMs, offset, index)
      }
      if (counters === undefined) continue
      for (const counter of counters)
        countInFeature(counter, state.pending, event, foldMeter.compiled.aggregation, reading, dimensions.values)
    }
  }
  return data
}

/** Each meter of a group has days of its own, as it may count from another offset on. */
function openEntryWithin(
  state: FoldState,
  foldMeter: FoldMeter,
  customer: FoldCustomer,
  event: StoredEvent,
  dimensions: Dimensions,
): number {
  const within = dimensionsWithin(state.windows, foldMeter, customer, event, dimensions)
  if (within !== dimensions) state.tally.other++
  return openEntry(state.windows, foldMeter.group, customer, event, within)
}

/** A direct usage report counts for the meter that it names, and for every counter of that meter whose filter it passes. */
function countReport(state: FoldState, event: StoredEvent, lookup: MeterLookup, customer: FoldCustomer): void {
  const report = readUsageReport(parsedData(event.data))
  if (report === null || report.quantity === null) return
  const { quantity } = report
  const { offset, index, occurredAtMs } = event
  const valuesFor = (compiled: CompiledMeter) => dimensionsOfReport(report, compiled)
  const foldMeter = lookup.meterNamed(event.tenant, report.meter)
  if (foldMeter !== undefined && offset >= foldMeter.fromOffset && offset < foldMeter.toOffset && isAdditive(foldMeter.meter.aggregation)) {
    const { group, compiled } = foldMeter
    const dimensions = group.dimensions.of(valuesFor(compiled), state.windows.interned)
    const entry = group.series.isChecked
      ? openEntryWithin(state, foldMeter, customer, event, dimensions)
      : openEntry(state.windows, group, customer, event, dimensions)
    countInEntry(state.windows, entry, foldMeter, quantity, occurredAtMs, offset, index)
  }
  if (customer.counters === null || offset < state.countersNext) return
  for (const ofType of customer.counters.values()) {
    for (const counter of ofType) {
      const { meter } = counter.tracked
      if (meter.key !== report.meter || !isAdditive(meter.aggregation)) continue
      countInFeature(counter, state.pending, event, meter.aggregation, quantity, valuesFor(counter.compiled))
    }
  }
}

/** A customer's counters beside the meters of a plan. Computed once, and again when either has changed. */
type Following = {
  readonly plan: EventPlan | undefined
  readonly counters: FoldCustomer['counters']
  /** In the order of the plan's meters. */
  readonly byMeter: readonly (readonly FeatureCounter[] | undefined)[]
  /** Counters of a revision that the windows no longer follow, until they are tracked anew. */
  readonly others: readonly FeatureCounter[]
}

function followingOf(customer: FoldCustomer, plan: EventPlan | undefined, eventType: string): Following {
  const last = customer.following
  if (last !== null && last.plan === plan && last.counters === customer.counters && plan !== undefined) return last
  const known = customer.followingByPlan[plan?.slot ?? 0]
  const isCurrent = plan !== undefined && known?.plan === plan && known.counters === customer.counters
  customer.following = isCurrent ? known : planFollowing(customer, plan, eventType)
  return customer.following
}

function planFollowing(customer: FoldCustomer, plan: EventPlan | undefined, eventType: string): Following {
  const counters = customer.counters?.get(eventType) ?? []
  const meters = plan?.meters ?? []
  const byMeter = meters.map(({ meter }) => {
    const ofMeter = counters.filter(({ tracked }) => tracked.meter.revision === meter.revision)
    return ofMeter.length === 0 ? undefined : ofMeter
  })
  const others = counters.filter(({ tracked }) => meters.every(({ meter }) => meter.revision !== tracked.meter.revision))
  const following = { plan, counters: customer.counters, byMeter, others }
  if (plan !== undefined) customer.followingByPlan[plan.slot] = following
  return following
}

const NO_ENTRY = -1

export function storedEvent(record: FoldRecord, event: UsageEvent, partition: Partition, index: number): StoredEvent {
  return {
    tenant: record.tenant,
    id: event.id,
    source: event.source,
    type: event.type,
    customer: event.customer,
    subject: event.subject,
    occurredAtMs: event.occurredAtMs,
    data: event.data,
    attributes: event.attributes,
    receivedAtMs: record.receivedAtMs,
    partition,
    offset: record.offset,
    index,
  }
}
