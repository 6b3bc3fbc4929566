import type { AppliedRecord, Counters } from '../../adapters/counters/counters.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { LogRecord } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Candidate, createDeduplicator, createFilterFor, type Deduplicator, restoreFilter } from '../dedupe/deduplicator.ts'
import { createFoldCustomer, type FoldState, foldRecord, type SetResolution } from '../fold/record-fold.ts'
import { checkDue, createSeriesLookUp, isCheckDue, seedSeries } from '../fold/series-look-up.ts'
import { type AwayWindows, bringBack, createAwayWindows } from '../fold/stored-windows.ts'
import { isOfChunk, letGoOfWindows, type WindowFold } from '../fold/window-fold.ts'
import { createRecordIntake, type ReadyRecord, type RecordIntakeDeps } from '../intake/record-intake.ts'
import { prepareSetReports } from '../intake/set-reports.ts'
import type { PartitionMeters } from '../meters/partition-meters.ts'
import type { CustomerTracking, TrackingDeps } from '../tracking/customer-tracking.ts'
import type { PartitionCustomers } from '../tracking/partition-customers.ts'
import { createFlushSource } from './flush-source.ts'
import type { Flusher, FlushSource } from './flusher.ts'
import type { WindowMemory } from './window-memory.ts'

export type PartitionDeps = RecordIntakeDeps &
  TrackingDeps & {
    readonly usageStore: UsageStore
    readonly counters: Counters
    readonly meters: MeterReader
    readonly flusher: Flusher
    readonly windowMemory: WindowMemory
    /** Number of events, see `AggregatorOptions`. */
    readonly encodedTogether: number
  }

/** The fold of one partition in this process. One thing at a time: each call waits for the one before. */
export type PartitionWorker = {
  readonly partition: Partition
  readonly source: FlushSource
  readonly windows: WindowFold
  readonly meters: PartitionMeters
  /** The first record not yet folded, and the first not yet in the usage store. */
  next(): Offset
  storedNext(): Offset
  /** Null until the first record. */
  dedupe(): Deduplicator | null
  fold(records: readonly LogRecord[]): Promise<void>
  /** Also called between records, when others need the memory. */
  makeRoom(): Promise<void>
  syncMeters(definitions: readonly Meter[]): Promise<void>
  /** Computes the counters of requested customers; requests that come while one is under way are served together. */
  serveTracking(): Promise<void>
  /** Customers that waited for it are tracked at the next turn. */
  meterCompleted(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export function createPartitionWorker(
  deps: PartitionDeps,
  parts: {
    readonly state: FoldState
    readonly meters: PartitionMeters
    readonly customers: PartitionCustomers
    readonly tracking: CustomerTracking
  },
): PartitionWorker {
  const { usageStore, counters, clock, retry, metrics, flusher, windowMemory, signal } = deps
  const { state, meters, customers, tracking } = parts
  const { partition } = state
  const intake = createRecordIntake(deps, partition, customers)
  const source = createFlushSource(state, customers, usageStore, deps.encodedTogether)
  let dedupe: Dedupe | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let waitingTracking: Promise<void> | null = null
  let waitingRoom: Promise<void> | null = null
  let broken: unknown = null

  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  async function fold(records: readonly LogRecord[]): Promise<void> {
    if (broken !== null) throw broken
    // After a failure the log repeats records, some of which are folded.
    const fresh = records.filter((record) => record.offset >= state.next)
    const [first] = fresh
    const last = fresh.at(-1)
    if (first === undefined || last === undefined) return
    dedupe ??= beginDedupe(first)
    const { deduplicator, filterRestored } = dedupe
    const ready = await intake.decode(fresh)
    if (eventsIn(ready) > UNFILTERED_EVENTS_MAX) await filterRestored
    tracking.want(await intake.loadCustomers(ready))
    if (tracking.isWanted()) {
      await tracking.serve()
      // Where the counters gave no answer it is not known what they track.
      tracking.want(await intake.loadCustomers(ready))
    }
    const repeats = await intake.storedRepeats(ready, deduplicator)
    const sets = await retry.do(
      'resolve set reports',
      partition,
      () => prepareSetReports(deps, { partition, next: state.next }, ready, meters.isComplete),
      signal,
    )
    const decisions = { deduplicator, repeats, sets }
    let rest = ready
    do {
      await makeRoom()
      const recordEventsMax = rest.reduce((most, { batch }) => Math.max(most, batch.events.length), 0)
      const folded = foldRun(await prepared(rest, recordEventsMax), decisions, recordEventsMax)
      rest = rest.slice(folded.length)
      flusher.folded()
      await applyToCounters(folded, rest[0] === undefined ? last.offset : ((rest[0].record.offset - 1) as Offset))
      if (rest.length > 0) await clock.turn()
    } while (rest.length > 0)
    state.next = (last.offset + 1) as Offset
    metrics.folded(state.tally, fresh.length)
    deduplicator.settle(state.storedNext, last.receivedAtMs)
    customers.trim()
  }

  /** Waits for the flush when many rows wait, and drops windows when they take too much memory. */
  async function makeRoom(): Promise<void> {
    await flusher.room()
    if (!windowMemory.isOver(state.windows)) return
    await flusher.flush()
    // Nothing more is written of a partition that was given up meanwhile.
    signal.throwIfAborted()
    letGoOfWindows(state.windows)
    metrics.letGoOfWindows()
  }

  /** The first of these records, as many as are ready to be folded. */
  async function prepared(ready: readonly ReadyRecord[], recordEventsMax: number): Promise<readonly ReadyRecord[]> {
    if (some(meters.groups(), ({ series }) => !series.isSeeded)) {
      await retry.do('read what meters have counted', partition, () => seedSeries(usageStore, meters.groups(), false), signal)
    }
    if (isCheckDue(meters.groups(), recordEventsMax)) {
      // What was counted unchecked must be in the store, where the days are read from.
      await flusher.flush()
      signal.throwIfAborted()
      checkDue(meters.groups(), recordEventsMax)
    }
    const { windows } = state
    const isChecked = some(meters.groups(), ({ series }) => series.isChecked)
    if (windows.letGo.isEmpty() && !isChecked) return ready
    const first = firstEvents(ready, EVENTS_LOOKED_UP)
    if (isChecked) {
      const series = createSeriesLookUp(windows, meters)
      for (const { batch } of first) for (const event of batch.events) series.note(event, batch.tenant)
      await retry.do('read combinations of dimensions', partition, () => series.load(usageStore), signal)
    }
    if (!windows.letGo.isEmpty()) {
      const away = createAwayWindows(windows, meters)
      for (const record of first) if (isOfChunk(windows, record.record.offset)) noteAway(away, record)
      await retry.do('bring windows back', partition, () => bringBack(usageStore, windows, away, state.next), signal)
    }
    return first
  }

  function beginDedupe({ receivedAtMs }: LogRecord): Dedupe {
    const scan = { partition, toOffset: state.next, receivedAtMs }
    const filter = createFilterFor(scan)
    let isComplete = false
    const filterRestored = retry
      .do('rebuild the dedupe filter', partition, () => restoreFilter(usageStore, filter, scan, clock, signal), signal)
      .then(() => {
        isComplete = true
      })
    // A stop aborts it; callers that wait for it get the error.
    filterRestored.catch(() => undefined)
    return { deduplicator: createDeduplicator(usageStore, filter, () => isComplete), filterRestored }
  }

  /**
   * As many records as there is room for and as are folded in one turn, at least one. A bug in the middle of a record leaves it
   * half counted: nothing more is folded or flushed on top of that.
   */
  function foldRun(ready: readonly ReadyRecord[], decisions: FoldDecisions, recordEventsMax: number): readonly AppliedRecord[] {
    const run: AppliedRecord[] = []
    let events = 0
    try {
      for (const record of ready) {
        run.push(foldOne(record, decisions))
        source.folded(record.record.value.byteLength)
        events += record.batch.events.length
        if (events >= EVENTS_FOLDED_AT_ONCE) break
        if (flusher.isEnough(source) || windowMemory.isOver(state.windows)) break
        if (state.windows.interned.hasGrown) {
          state.windows.interned.hasGrown = false
          if (isCheckDue(meters.groups(), recordEventsMax)) break
        }
      }
      return run
    } catch (error) {
      broken = error
      flusher.remove(source)
      throw error
    }
  }

  function foldOne(ready: ReadyRecord, { deduplicator, repeats, sets }: FoldDecisions): AppliedRecord {
    const { record, batch, hashes } = ready
    const { offset, receivedAtMs } = record
    const { tenant, events } = batch
    const { deltas, settles } = foldRecord(
      state,
      { tenant, events, offset, receivedAtMs },
      {
        planOf: meters.planOf,
        meterNamed: meters.meterNamed,
        customerAt: (index) => ready.customers[index] ?? NO_CUSTOMER,
        isRepeat: (index, event) =>
          deduplicator.isRecentRepeat(tenant, event, hashes[index] ?? 0, receivedAtMs) || (repeats.size > 0 && repeats.has(event)),
        accepted: (index, event) => deduplicator.remember(hashes[index] ?? 0, event),
        sets,
      },
    )
    return { offset, deltas, settles }
  }

  /** The last record is included even without changes, to bring the position up to it. */
  async function applyToCounters(folded: readonly AppliedRecord[], last: Offset): Promise<void> {
    if (last < state.countersNext) return
    const changing = folded.filter(
      ({ offset, deltas, settles = [] }) => offset < last && offset >= state.countersNext && (deltas.length > 0 || settles.length > 0),
    )
    const records = [...changing, folded.find(({ offset }) => offset === last) ?? { offset: last, deltas: [] }]
    await retry.do('apply to the counters', partition, () => counters.apply(partition, records), signal)
    state.countersNext = (last + 1) as Offset
  }

  return {
    partition,
    source,
    windows: state.windows,
    meters,
    next: () => state.next,
    storedNext: () => state.storedNext,
    dedupe: () => dedupe?.deduplicator ?? null,
    async fold(records) {
      await inTurn(() => fold(records))
      await flusher.room()
    },
    makeRoom() {
      waitingRoom ??= inTurn(() => {
        waitingRoom = null
        return makeRoom()
      })
      return waitingRoom
    },
    syncMeters: (definitions) => inTurn(() => meters.sync(definitions, state.next)),
    serveTracking() {
      // One waiting turn takes every request made until then. With a turn for each request, records waited behind as many turns
      // as there were requests, and as more came in during each, a busy customer kept its partition from folding for minutes.
      waitingTracking ??= inTurn(() => {
        waitingTracking = null
        return tracking.serve()
      })
      return waitingTracking
    },
    meterCompleted: tracking.meterCompleted,
    async idle() {
      await turn
    },
  }
}

/** The decisions about a read batch, made before it is folded. */
type FoldDecisions = {
  readonly deduplicator: Deduplicator
  readonly repeats: ReadonlySet<Candidate['event']>
  readonly sets: SetResolution | null
}

/** Events whose days and windows are looked up together, and the rest of a record on top. */
const EVENTS_LOOKED_UP = 2_000

/** Events folded until others have their turn, and the rest of a record on top. */
const EVENTS_FOLDED_AT_ONCE = 5_000

function firstEvents(ready: readonly ReadyRecord[], eventsMax: number): readonly ReadyRecord[] {
  let events = 0
  const last = ready.findIndex(({ batch }) => {
    events += batch.events.length
    return events >= eventsMax
  })
  return last < 0 ? ready : ready.slice(0, last + 1)
}

function some<Item>(items: Iterable<Item>, isWanted: (item: Item) => boolean): boolean {
  for (const item of items) if (isWanted(item)) return true
  return false
}

function noteAway(away: AwayWindows, { batch, customers }: ReadyRecord): void {
  for (const [index, event] of batch.events.entries()) away.note(event, batch.tenant, customers[index] ?? NO_CUSTOMER)
}

type Dedupe = { readonly deduplicator: Deduplicator; readonly filterRestored: Promise<void> }

/**
 * With more events than this in one read, the filter is waited for before the store is asked about each. A look-up of a thousand
 * among a hundred million takes a fraction of a second, the filter a minute.
 */
const UNFILTERED_EVENTS_MAX = 1_000

function eventsIn(ready: readonly ReadyRecord[]): number {
  return ready.reduce((sum, { batch }) => sum + batch.events.length, 0)
}

const NO_CUSTOMER = createFoldCustomer(null)
