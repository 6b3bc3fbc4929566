import type { CounterDelta, SettledHold } from '../adapters/counters/counters.ts'
import type { StoredEvent } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs, MeterKey, Offset, Partition, TenantKey } from '../domain/identity.ts'
import { isAdditive } from '../domain/meter.ts'
import type { CompiledMeter, CompiledReading } from '../domain/metering.ts'
import type { UsageEvent, UsageEventBatch } from '../domain/usage-event.ts'
import { dimensionOfReport, readUsageReport, USAGE_REPORT_TYPE } from '../domain/usage-report.ts'
import { countInFeature, deltasOf, type FeatureCounter, type PendingDelta } from './counter-fold.ts'
import { type CustomerWindows, countInWindow, enterRecord, type FoldMeter, type WindowFold } from './window-fold.ts'

/** A record of the log, decoded. */
export type FoldRecord = UsageEventBatch & { readonly offset: Offset; readonly receivedAtMs: InstantMs }

/** What a partition keeps of one customer. */
export type FoldCustomer = {
  readonly windows: CustomerWindows
  /** Features whose counters follow this customer, by event type; null when none do. */
  counters: ReadonlyMap<string, readonly FeatureCounter[]> | null
}

/** Everything the fold of one partition holds between records. Changed in place: there is no other reference to it. */
export type FoldState = {
  readonly partition: Partition
  readonly windows: WindowFold
  /** The first record not yet folded. */
  next: Offset
  /** Accepted events not yet taken by a flush. */
  events: StoredEvent[]
  /** Below this the rows are in the usage store already: a restart folds them again, for the chunk's totals only. */
  storedNext: Offset
  /** Below this the counters have applied the deltas. */
  countersNext: Offset
  readonly tally: FoldTally
}

/** What has been folded so far, for metrics. */
export type FoldTally = {
  accepted: number
  repeated: number
  readonly unreadable: Record<'missing' | 'not_a_number' | 'not_exact', number>
}

export function createFoldState(windows: WindowFold, next: Offset, storedNext: Offset, countersNext: Offset): FoldState {
  const tally = { accepted: 0, repeated: 0, unreadable: { missing: 0, not_a_number: 0, not_exact: 0 } }
  return { partition: windows.partition, windows, next, events: [], storedNext, countersNext, tally }
}

/** Finds the meters that count an event. */
export type MeterLookup = {
  metersOf(tenant: TenantKey, eventType: string): readonly FoldMeter[]
  meterNamed(tenant: TenantKey, key: MeterKey): FoldMeter | undefined
}

/** What the fold asks of its surroundings for one record; all of it depends on the log and on activations alone. */
export type FoldContext = MeterLookup & {
  customerAt(index: number): FoldCustomer
  /** Asked once per event, in order, right before it is counted. */
  isRepeat(index: number, event: UsageEvent): boolean
  accepted(index: number, event: StoredEvent): void
  /** Resolves the `set` reports of the record; null when it has none. */
  readonly sets: SetResolution | null
}

/** Turns what a `set` report sets into what it adds. Sees every accepted event, in order. */
export type SetResolution = {
  /** The event with the delta in its data. */
  resolved(event: StoredEvent): StoredEvent
  counted(event: StoredEvent): void
}

export type FoldedRecord = { readonly deltas: readonly CounterDelta[]; readonly settles: readonly SettledHold[] }

/**
 * Folds one record: drops repeats, counts what is left into windows and counters, keeps the rows for the next flush.
 * Depends on nothing but its arguments.
 */
export function foldRecord(state: FoldState, record: FoldRecord, context: FoldContext): FoldedRecord {
  const { offset, tenant, events } = record
  enterRecord(state.windows, offset)
  const pending: PendingDelta[] = []
  let settles: SettledHold[] | null = null
  for (let index = 0; index < events.length; index++) {
    const event = events[index]
    if (event === undefined) continue
    const isReport = event.type === USAGE_REPORT_TYPE
    if (isReport) settles = withHold(settles, tenant, event)
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
    countEvent(state, stored, context, context.customerAt(index), pending)
  }
  state.next = (offset + 1) as Offset
  if (pending.length === 0 && settles === null) return NOTHING_FOLDED
  return { deltas: deltasOf(tenant, pending), settles: settles ?? [] }
}

const NOTHING_FOLDED: FoldedRecord = { deltas: [], settles: [] }

/** A repeat ends its hold too: the first was counted, perhaps into counters that have been computed anew since. */
function withHold(settles: SettledHold[] | null, tenant: TenantKey, event: UsageEvent): SettledHold[] | null {
  const reservation = readUsageReport(parsedData(event.data))?.reservation ?? null
  if (reservation === null) return settles
  return [...(settles ?? []), { tenant, customer: event.customer, id: reservation }]
}

/** Counts one accepted event wherever it counts; also how a backfill counts events from the store. */
export function countEvent(
  state: FoldState,
  event: StoredEvent,
  lookup: MeterLookup,
  customer: FoldCustomer,
  pending: PendingDelta[],
): void {
  if (event.type === USAGE_REPORT_TYPE) {
    countReport(state, event, lookup, customer, pending)
    return
  }
  const meters = lookup.metersOf(event.tenant, event.type)
  const counters = event.offset >= state.countersNext ? customer.counters?.get(event.type) : undefined
  if (meters.length === 0 && counters === undefined) return
  let data: object | null = null
  let countersLeft = counters?.length ?? 0
  for (const foldMeter of meters) {
    const { compiled, meter } = foldMeter
    if (data === null && compiled.needsData) data = parsedData(event.data)
    const reading = compiled.read(data ?? NO_DATA)
    const dimensions = compiled.readDimensions(data ?? NO_DATA)
    if (event.offset >= foldMeter.fromOffset) {
      const isCounted = countInWindow(state.windows, customer.windows, foldMeter, event, reading, dimensions, event.offset, event.index)
      if (!isCounted) countUnreadable(state.tally, reading)
    }
    if (countersLeft === 0 || counters === undefined) continue
    for (const counter of counters) {
      if (counter.tracked.meter.revision !== meter.revision) continue
      countInFeature(counter, pending, event, reading, dimensions, event.offset, event.index)
      countersLeft--
    }
  }
  if (countersLeft === 0 || counters === undefined) return
  // A counter may follow a revision that the windows no longer do, until it is tracked anew.
  for (const counter of counters) {
    if (meters.some(({ meter }) => meter.revision === counter.tracked.meter.revision)) continue
    data ??= parsedData(event.data)
    const dimensions = counter.compiled.readDimensions(data)
    countInFeature(counter, pending, event, counter.compiled.read(data), dimensions, event.offset, event.index)
  }
}

/** Usage that is said outright counts for the meter that it names, and for every counter of that meter whose filter it passes. */
function countReport(state: FoldState, event: StoredEvent, lookup: MeterLookup, customer: FoldCustomer, pending: PendingDelta[]): void {
  const report = readUsageReport(parsedData(event.data))
  if (report === null || report.quantity === null) return
  const { offset, index } = event
  const reading = { kind: 'quantity', quantity: report.quantity } as const
  const dimensionsFor = ({ dimensionNames }: CompiledMeter) => dimensionNames.map((name) => dimensionOfReport(report, name))
  const foldMeter = lookup.meterNamed(event.tenant, report.meter)
  if (foldMeter !== undefined && offset >= foldMeter.fromOffset && isAdditive(foldMeter.meter.aggregation)) {
    countInWindow(state.windows, customer.windows, foldMeter, event, reading, dimensionsFor(foldMeter.compiled), offset, index)
  }
  if (customer.counters === null || offset < state.countersNext) return
  for (const ofType of customer.counters.values()) {
    for (const counter of ofType) {
      const { meter } = counter.tracked
      if (meter.key !== report.meter || !isAdditive(meter.aggregation)) continue
      countInFeature(counter, pending, event, reading, dimensionsFor(counter.compiled), offset, index)
    }
  }
}

/** The data of an event as meters read it. What is no JSON object, which ingest lets nobody send, reads as empty. */
export function parsedData(text: string): object {
  try {
    const data: unknown = JSON.parse(text)
    return typeof data === 'object' && data !== null ? data : NO_DATA
  } catch {
    return NO_DATA
  }
}

const NO_DATA: object = {}

function countUnreadable(tally: FoldTally, reading: CompiledReading): void {
  if (reading.kind === 'unreadable') tally.unreadable[reading.reason]++
}

function storedEvent(record: FoldRecord, event: UsageEvent, partition: Partition, index: number): StoredEvent {
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
