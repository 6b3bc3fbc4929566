import type { Logger } from 'pino'
import type { Catalog } from '../adapters/catalog/catalog.ts'
import type { CounterDelta, Counters, CustomerRef } from '../adapters/counters/counters.ts'
import type { EventLog, LogRecord } from '../adapters/event-log/event-log.ts'
import type { StoredEvent, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../domain/clock.ts'
import { trackedFeatures } from '../domain/entitlements.ts'
import type { Offset, Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import type { UsageEventBatch } from '../domain/usage-event.ts'
import type { AggregatorMetrics } from './aggregator-metrics.ts'
import { createFeatureCounter } from './counter-fold.ts'
import { type Candidate, type Deduplicator, restoreDeduplicator } from './deduplicator.ts'
import { eventHash } from './event-hash.ts'
import type { Flusher, FlushPart, FlushSource } from './flusher.ts'
import { createPartitionCustomers, type KnownCustomer, type PartitionCustomers } from './partition-customers.ts'
import { type ActivationWriter, createPartitionMeters, type PartitionMeters } from './partition-meters.ts'
import { countEvent, createFoldState, type FoldState, foldRecord } from './record-fold.ts'
import { resumePoint } from './resume-point.ts'
import type { Retry } from './retry.ts'
import { computeCounters } from './tracking.ts'
import { createWindowFold, enterRecord, rowsWaiting, takeRows } from './window-fold.ts'

export type PartitionDeps = {
  readonly eventLog: EventLog
  readonly usageStore: UsageStore
  readonly counters: Counters
  readonly catalog: Catalog
  readonly clock: Clock
  readonly log: Logger
  readonly retry: Retry
  readonly metrics: AggregatorMetrics
  readonly flusher: Flusher
  readonly activationWriter: ActivationWriter
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly onUndecodable: (record: LogRecord, reason: string) => Promise<void>
  /** Aborted when the aggregator stops: what is waiting gives up. */
  readonly signal: AbortSignal
}

/** Everything of one partition that this process folds. One thing at a time: each call waits for the one before. */
export type PartitionWorker = {
  readonly partition: Partition
  readonly source: FlushSource
  readonly meters: PartitionMeters
  /** First record not yet folded, and first not yet in the usage store. */
  next(): Offset
  storedNext(): Offset
  dedupe(): Deduplicator | null
  fold(records: readonly LogRecord[]): Promise<void>
  syncMeters(definitions: readonly Meter[]): Promise<void>
  /** Computes the counters of customers that were asked for. */
  serveTracking(): Promise<void>
  /** Those that waited for it are tracked at the next turn. */
  meterCompleted(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

/** Finds where to go on and brings back what was in memory there. */
export async function openPartition(deps: PartitionDeps, partition: Partition, definitions: readonly Meter[]): Promise<PartitionWorker> {
  const { usageStore, counters, eventLog, log } = deps
  const storedNext = (await usageStore.positions()).get(partition) ?? (0 as Offset)
  const countersNext = await counters.position(partition)
  const logRange = await eventLog.range(partition)
  const chunkRecords = usageStore.chunkRecords()
  const point = resumePoint(partition, { storedNext, countersNext, chunkRecords, log: logRange })
  if (point.resetsCounters) {
    await counters.reset(partition, point.from)
    log.warn({ partition, countersNext, resumeFrom: point.from }, 'counters were too far behind and start anew')
  }
  const activations = (await usageStore.activations()).filter((activation) => activation.partition === partition)
  const meters = createPartitionMeters(partition, activations, deps.activationWriter)
  await meters.sync(definitions, point.from)
  const windows = createWindowFold({ partition, chunkRecords, chunkBase: 0 })
  const state = createFoldState(windows, point.from, storedNext, point.resetsCounters ? point.from : countersNext)
  const customers = createPartitionCustomers(partition, deps)
  if (point.chunkStart < point.from) await restoreChunk(usageStore, state, meters, customers, point.chunkStart)
  log.info({ partition, resumeFrom: point.from, storedNext, countersNext, logNext: logRange.next }, 'partition assigned')
  // Until here an earlier life may have written windows, which a counter computed from windows would count twice.
  return createPartitionWorker(deps, state, meters, customers, logRange.next)
}

/** The log has let go of the chunk's beginning: its totals come from the stored events. */
async function restoreChunk(
  usageStore: UsageStore,
  state: FoldState,
  meters: PartitionMeters,
  customers: PartitionCustomers,
  chunkStart: Offset,
): Promise<void> {
  const { partition } = state
  for await (const events of usageStore.scanEvents({ partition, fromOffset: chunkStart, toOffset: state.next })) {
    for (const event of events) {
      enterRecord(state.windows, event.offset)
      countEvent(state, event, meters.metersOf(event.tenant, event.type), customers.of(event.tenant, event.customer), [])
    }
  }
}

type DecodedRecord = {
  readonly record: LogRecord
  readonly batch: UsageEventBatch
  readonly customers: readonly KnownCustomer[]
  readonly hashes: Float64Array
}

function createPartitionWorker(
  deps: PartitionDeps,
  state: FoldState,
  meters: PartitionMeters,
  customers: PartitionCustomers,
  trackableFrom: Offset,
): PartitionWorker {
  const { partition } = state
  const { usageStore, counters, catalog, clock, log, retry, metrics, flusher, signal } = deps
  let dedupe: Deduplicator | null = null
  let takenNext = state.storedNext
  let turn: Promise<unknown> = Promise.resolve()
  /** By tenant and customer: to be tracked as soon as that can be done. */
  const toTrack = new Map<string, CustomerRef>()
  /** Tracked but for features whose meter is not complete yet. */
  const awaitingMeters = new Map<string, CustomerRef>()
  let broken: unknown = null
  let trackingNotBeforeMs = 0

  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  const source: FlushSource = {
    partition,
    rowsWaiting: () => state.events.length + rowsWaiting(state.windows),
    take(): FlushPart | null {
      const next = Math.max(state.next, state.storedNext) as Offset
      const events = state.events
      const windows = takeRows(state.windows)
      if (next === takenNext && events.length === 0 && windows.length === 0) return null
      state.events = []
      takenNext = next
      return { events, windows, next, newCustomers: customers.takeNew() }
    },
    written(next) {
      if (next > state.storedNext) state.storedNext = next
    },
  }

  /** Null for a record that is set aside: the fold goes on after it. */
  async function decode(record: LogRecord): Promise<DecodedRecord | null> {
    try {
      const batch = deps.decode(record.value)
      const { tenant, events } = batch
      const ofEvents = events.map((event) => customers.of(tenant, event.customer))
      const hashes = Float64Array.from(events, (event, index) => eventHash(ofEvents[index]?.seed ?? NO_SEED, event.source, event.id))
      return { record, batch, customers: ofEvents, hashes }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      metrics.undecodable()
      log.error({ partition, offset: record.offset, bytes: record.value.byteLength, reason }, 'record could not be decoded')
      await retry.do('set a record aside', partition, () => deps.onUndecodable(record, reason), signal)
      return null
    }
  }

  /** Events of the batch that the store holds from before. */
  async function storedRepeats(decoded: readonly DecodedRecord[], deduplicator: Deduplicator): Promise<ReadonlySet<StoredRepeat>> {
    const candidates: Candidate[] = []
    for (const { record, batch, hashes } of decoded) {
      const { tenant, events } = batch
      const { offset, receivedAtMs } = record
      for (let index = 0; index < events.length; index++) {
        const event = events[index]
        const hash = hashes[index] ?? 0
        if (event === undefined || !deduplicator.needsLookUp(tenant, event, hash, receivedAtMs)) continue
        candidates.push({ tenant, event, hash, receivedAtMs, offset, index })
      }
    }
    if (candidates.length === 0) return NO_REPEATS
    const repeats = await retry.do('look up possible repeats', partition, () => deduplicator.lookUp(candidates), signal)
    metrics.lookedUp(candidates.length, repeats.size)
    return new Set([...repeats].map(({ event }) => event))
  }

  async function loadCustomers(decoded: readonly DecodedRecord[]): Promise<void> {
    const unloaded = new Set(decoded.flatMap((record) => record.customers.filter((customer) => !customer.isLoaded)))
    if (unloaded.size === 0) return
    const lost = await retry.do('load tracked counters', partition, () => customers.load([...unloaded], clock.now()), signal)
    for (const ref of lost) toTrack.set(keyOf(ref), ref)
  }

  async function fold(records: readonly LogRecord[]): Promise<void> {
    if (broken !== null) throw broken
    const first = records.find((record) => record.offset >= state.next)
    const last = records.at(-1)
    if (first === undefined || last === undefined) return
    const deduplicator = await deduplicatorFrom(first)
    const all = records.filter((record) => record.offset >= state.next)
    const decoded: DecodedRecord[] = []
    for (const record of all) {
      const one = await decode(record)
      if (one !== null) decoded.push(one)
    }
    await loadCustomers(decoded)
    if (toTrack.size > 0) await serveTracking()
    const repeats = await storedRepeats(decoded, deduplicator)
    const deltas = foldAll(decoded, deduplicator, repeats)
    state.next = (last.offset + 1) as Offset
    metrics.folded(state.tally, all.length)
    flusher.folded()
    await applyDeltas(deltas, last.offset)
    deduplicator.settle(state.storedNext, last.receivedAtMs)
    customers.trim()
  }

  /** A bug in the middle of a record leaves it half counted: nothing more is folded or flushed on top of that. */
  function foldAll(decoded: readonly DecodedRecord[], deduplicator: Deduplicator, repeats: ReadonlySet<StoredRepeat>) {
    try {
      return decoded.map((record) => foldOne(record, deduplicator, repeats))
    } catch (error) {
      broken = error
      flusher.remove(source)
      throw error
    }
  }

  async function deduplicatorFrom({ receivedAtMs }: LogRecord): Promise<Deduplicator> {
    dedupe ??= await retry.do(
      'rebuild the dedupe filter',
      partition,
      () => restoreDeduplicator(usageStore, { partition, toOffset: state.next, receivedAtMs }),
      signal,
    )
    return dedupe
  }

  function foldOne(
    { record, batch, customers: ofEvents, hashes }: DecodedRecord,
    deduplicator: Deduplicator,
    repeats: ReadonlySet<StoredRepeat>,
  ) {
    const { offset, receivedAtMs } = record
    const { tenant } = batch
    const deltas = foldRecord(
      state,
      { tenant, events: batch.events, offset, receivedAtMs },
      {
        metersOf: meters.metersOf,
        customerAt: (index) => ofEvents[index] ?? NO_CUSTOMER,
        isRepeat: (index, event) =>
          deduplicator.isRecentRepeat(tenant, event, hashes[index] ?? 0, receivedAtMs) || (repeats.size > 0 && repeats.has(event)),
        accepted: (index, event: StoredEvent) => deduplicator.remember(hashes[index] ?? 0, event),
      },
    )
    return { offset, deltas }
  }

  /** The last record goes along without deltas, to bring the position up to it. */
  async function applyDeltas(folded: readonly { offset: Offset; deltas: readonly CounterDelta[] }[], last: Offset): Promise<void> {
    if (last < state.countersNext) return
    const records = folded.filter(({ offset, deltas }) => offset < last && offset >= state.countersNext && deltas.length > 0)
    const ofLast = folded.find(({ offset }) => offset === last)?.deltas ?? []
    await retry.do(
      'apply to the counters',
      partition,
      () => counters.apply(partition, [...records, { offset: last, deltas: ofLast }]),
      signal,
    )
    state.countersNext = (last + 1) as Offset
  }

  async function serveTracking(): Promise<void> {
    const nowMs = clock.now()
    if (state.next < trackableFrom || state.next < state.countersNext || nowMs < trackingNotBeforeMs) return
    try {
      for (const ref of await counters.takeTrackingRequests(partition)) toTrack.set(keyOf(ref), ref)
      if (toTrack.size === 0) return
      const refs = [...toTrack.values()]
      const work = await Promise.all(
        refs.map(async (customer) => ({
          customer,
          features: trackedFeatures(await catalog.entitlementInputs(customer.tenant, customer.customer), nowMs),
        })),
      )
      const complete = work.map(({ customer, features }) => ({
        customer,
        features: features.filter(({ meter }) => meters.isComplete(meter)),
      }))
      await flusher.flush()
      const computed = await computeCounters(usageStore, complete, state.next, nowMs)
      for (const [index, { customer, features }] of complete.entries()) {
        toTrack.delete(keyOf(customer))
        const tracked = computed.get(customer) ?? []
        if (!(await counters.track(customer, tracked, state.next))) {
          log.warn({ partition, next: state.next }, 'counters have moved on: another process folds this partition')
          continue
        }
        const followed = features.map((feature, at) => createFeatureCounter(feature, tracked[at]?.trackedFromMs ?? nowMs))
        customers.follow(customer, followed)
        if (features.length !== work[index]?.features.length) awaitingMeters.set(keyOf(customer), customer)
      }
      metrics.tracked(refs.length)
    } catch (error) {
      if (signal.aborted) throw error
      trackingNotBeforeMs = nowMs + TRACKING_RETRY_MS
      metrics.failed('track counters')
      log.warn({ err: error, partition, customers: toTrack.size }, 'counters could not be computed and are tried again')
    }
  }

  return {
    partition,
    source,
    meters,
    next: () => state.next,
    storedNext: () => state.storedNext,
    dedupe: () => dedupe,
    async fold(records) {
      await inTurn(() => fold(records))
      await flusher.room()
    },
    syncMeters: (definitions) => inTurn(() => meters.sync(definitions, state.next)),
    serveTracking: () => inTurn(serveTracking),
    meterCompleted() {
      for (const [key, ref] of awaitingMeters) toTrack.set(key, ref)
      awaitingMeters.clear()
    },
    async idle() {
      await turn
    },
  }
}

/** By identity: the very event of the decoded batch. */
type StoredRepeat = Candidate['event']

const TRACKING_RETRY_MS = 1000
const NO_REPEATS: ReadonlySet<StoredRepeat> = new Set()
const NO_SEED = { high: 0, low: 0 }
const NO_CUSTOMER = { windows: [], counters: null }

function keyOf({ tenant, customer }: CustomerRef): string {
  return JSON.stringify([tenant, customer])
}
