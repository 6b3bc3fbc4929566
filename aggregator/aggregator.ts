import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Counters } from '../adapters/counters/counters.ts'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { CustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { EntitlementInputsReader } from '../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { MeterReader, MeterStore } from '../adapters/database/meters/meter-store.ts'
import type { EventLog, LogRecord, LogSubscription } from '../adapters/event-log/event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../base/clock.ts'
import { LATE, within } from '../base/deadline.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'
import { decodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'
import { AGGREGATOR_BOUNDS } from './aggregator-bounds.ts'
import { createAggregatorMetrics } from './aggregator-metrics.ts'
import { createMeterBook } from './meters/meter-book.ts'
import { createActivationWriter } from './meters/partition-meters.ts'
import { createFlusher } from './partition/flusher.ts'
import { openPartition } from './partition/open-partition.ts'
import type { PartitionWorker } from './partition/partition-worker.ts'
import { createWindowMemory } from './partition/window-memory.ts'
import { createProgress, type PartitionHealth } from './progress.ts'
import { createRetry } from './retry.ts'

export type AggregatorOptions = {
  /** Consumers of one group share the partitions. */
  readonly group: string
  /** A flush begins this long after its first row, */
  readonly flushIntervalMs: number
  /** or when this many rows wait. As many more may gather while it is written. */
  readonly flushRowsMax: number
  /** The same for bytes of events, as they are in the log. */
  readonly flushBytesMax: number
  /** This many events of a partition are encoded ahead of their flush: enough for a block of the engine's to be worth its columns. */
  readonly encodedTogether: number
  /**
   * Bound on the windows of all partitions together. Beyond it stored windows are dropped from memory, and read again when they
   * change. At most one and a half times the bound is taken, and a read batch of each partition on top.
   */
  readonly windowBytesMax: number
  /** Bound on the filters of all partitions together. Beyond it old weeks are forgotten, and more events are looked up in the store. */
  readonly dedupeMemoryBytesMax: number
  /** Stored records older than this may leave the log. */
  readonly logRetentionMs: number
  /** A step that fails, or records that wait, for longer than this make the aggregator stalled. */
  readonly stalledAfterMs: number
  /** How long a partition that is given up waits for its last flush. Rows that are not written are folded again. */
  readonly drainTimeoutMs: number
}

export const AGGREGATOR_DEFAULTS: AggregatorOptions = {
  group: 'tollgate',
  flushIntervalMs: 1000,
  flushRowsMax: AGGREGATOR_BOUNDS.flushRows.most,
  flushBytesMax: AGGREGATOR_BOUNDS.flushBytes.most,
  encodedTogether: 1_024,
  windowBytesMax: AGGREGATOR_BOUNDS.windows.most,
  dedupeMemoryBytesMax: 256 * 1024 * 1024,
  logRetentionMs: 7 * 86_400_000,
  stalledAfterMs: 10_000,
  drainTimeoutMs: 10_000,
}

export type AggregatorHealth = {
  readonly partitions: readonly PartitionHealth[]
  readonly isStalled: boolean
  /** What fails now, in words for an operator. */
  readonly reasons: readonly string[]
}

/** Reads the event log and keeps usage store and counters in step with it. Several may run and share the partitions. */
export type Aggregator = {
  /** Resolves when it is subscribed; partitions are opened after that. */
  start(): Promise<void>
  /** Gives the partitions up, with a last flush. */
  drain(): Promise<void>
  /** Stops at once; the next owner of a partition folds again what is not written. */
  stop(): Promise<void>
  health(): AggregatorHealth
  /** Resolves when everything folded so far is in the usage store. */
  flush(): Promise<void>
  /** To be called when meters changed; the catalog's own announcements call it too. */
  metersChanged(): void
}

export type AggregatorDeps = {
  readonly eventLog: EventLog
  readonly usageStore: UsageStore
  readonly counters: Counters
  readonly changes: Pick<ChangeFeed, 'subscribe'>
  readonly meters: Pick<MeterStore, 'all'> & MeterReader
  readonly customers: Pick<CustomerStore, 'ensure'>
  readonly entitlementInputs: EntitlementInputsReader
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Keeps a record that cannot be decoded for a person to look at; called again for the same record after a crash. */
  readonly onUndecodable: (record: LogRecord, reason: string) => Promise<void>
  readonly options?: Partial<AggregatorOptions>
}

export function createAggregator(deps: AggregatorDeps): Aggregator {
  const { eventLog, usageStore, counters, meters, entitlementInputs, clock, log } = deps
  const options = { ...AGGREGATOR_DEFAULTS, ...deps.options }
  const stopping = new AbortController()
  const { signal } = stopping
  const metrics = createAggregatorMetrics(deps.registry)
  const retry = createRetry({ clock, log, onFailure: metrics.failed })
  const ensureCustomers = deps.customers.ensure
  const { flushIntervalMs, flushRowsMax, flushBytesMax } = options
  const flusher = createFlusher({
    ...{ usageStore, ensureCustomers, retry, metrics, clock, log, signal },
    ...{ flushIntervalMs, flushRowsMax, flushBytesMax },
  })
  const windowMemory = createWindowMemory(options.windowBytesMax)
  const workers = new Map<Partition, PartitionWorker>()
  /** Aborts the work under way in a partition that was given up: another process goes on from there. */
  const letGo = new Map<Partition, AbortController>()
  const progress = createProgress({ eventLog, clock, retry, workers, flushIntervalMs, stalledAfterMs: options.stalledAfterMs })
  const meterBook = createMeterBook({
    ...{ meters, usageStore, flusher, windowMemory, retry, metrics, log, signal },
    partitions: eventLog.partitions,
    workers: () => [...workers.values()],
  })
  const partitionDeps = {
    encodedTogether: options.encodedTogether,
    ...{ eventLog, usageStore, counters, meters, entitlementInputs, clock, log, retry, metrics, flusher, windowMemory, signal },
    activationWriter: createActivationWriter(usageStore),
    decode: decodeUsageEventBatch,
    onUndecodable: deps.onUndecodable,
  }
  let subscription: LogSubscription | null = null
  let unsubscribed: Promise<void> | null = null
  let housekeeping: Promise<void> = Promise.resolve()
  let trimDueMs = 0

  async function assigned(partition: Partition): Promise<Offset> {
    try {
      const ending = new AbortController()
      letGo.set(partition, ending)
      const deps = { ...partitionDeps, signal: AbortSignal.any([signal, ending.signal]) }
      const worker = await openPartition(deps, partition, meterBook.load)
      workers.set(partition, worker)
      flusher.add(worker.source)
      windowMemory.add(worker.windows)
      progress.opened(partition)
      // Handles changes made while the partition was opened, and backfills left by an earlier owner.
      meterBook.changed()
      return worker.next()
    } catch (error) {
      progress.openFailed(partition, error)
      throw error
    }
  }

  async function revoked(partition: Partition): Promise<void> {
    const worker = workers.get(partition)
    if (worker === undefined) return
    // Nothing more is asked of the worker; requests made while the last rows were written end too.
    workers.delete(partition)
    // A failure is reported where it happens.
    const drained = worker
      .idle()
      .then(flusher.flush)
      .then(worker.idle)
      .catch(() => undefined)
    if ((await within(clock, options.drainTimeoutMs, drained)) === LATE)
      log.warn({ partition, next: worker.next(), stored: worker.storedNext() }, 'let go of a partition before its last flush')
    letGo.get(partition)?.abort()
    flusher.remove(worker.source)
    windowMemory.remove(worker.windows)
    progress.closed(partition)
  }

  async function records(partition: Partition, batch: readonly LogRecord[]): Promise<void> {
    const worker = workers.get(partition)
    if (worker !== undefined) await worker.fold(batch)
  }

  /** Work that no record triggers: lag, requests whose announcement was lost, memory, retention. */
  async function keepHouse(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(HOUSEKEEPING_INTERVAL_MS, signal)
      if (signal.aborted) return
      try {
        await progress.refresh()
        meterBook.tend()
        for (const worker of workers.values()) {
          serveTracking(worker.partition)
          // A partition without records would otherwise keep its memory.
          if (windowMemory.isOver(worker.windows)) worker.makeRoom().catch(() => undefined)
        }
        boundFilterMemory([...workers.values()], options.dedupeMemoryBytesMax, log)
        if (clock.now() >= trimDueMs) await trim()
      } catch (error) {
        metrics.failed('keep house')
        log.warn({ err: error }, 'housekeeping failed and is tried again')
      }
    }
  }

  async function trim(): Promise<void> {
    const nowMs = clock.now()
    trimDueMs = nowMs + TRIM_INTERVAL_MS
    const chunkRecords = usageStore.chunkRecords()
    const limits = [...workers.values()].map((worker) => {
      // While stored records are folded again, for the counters or a new meter, only the log has them.
      const neededFrom = Math.min(worker.next(), worker.storedNext())
      return { partition: worker.partition, beforeOffset: (Math.floor(neededFrom / chunkRecords) * chunkRecords) as Offset }
    })
    // Counters may become durable a little later than they are applied; the log must keep what they could lose.
    await counters.flush()
    const receivedBeforeMs = (nowMs - options.logRetentionMs) as InstantMs
    for (const { partition, beforeOffset } of limits) await eventLog.trim(partition, { beforeOffset, receivedBeforeMs })
  }

  function serveTracking(partition: Partition): void {
    const worker = workers.get(partition)
    worker?.serveTracking().catch((error: unknown) => {
      if (!signal.aborted && workers.get(partition) === worker) log.error({ err: error, partition }, 'tracking failed')
    })
  }

  function unsubscribe(): Promise<void> {
    unsubscribed ??= subscription?.stop() ?? Promise.resolve()
    return unsubscribed
  }

  metrics.observe(() => {
    const deduplicators = [...workers.values()].flatMap((worker) => worker.dedupe() ?? [])
    return {
      filterBytes: filterBytes([...workers.values()]),
      filtersIncomplete: deduplicators.filter(({ isComplete }) => !isComplete()).length,
      windowBytes: windowMemory.bytes(),
    }
  })

  return {
    async start() {
      await meterBook.load()
      const metersChanged = () => {
        if (!signal.aborted) meterBook.changed()
      }
      deps.changes.subscribe({ topics: ['meters'], changed: metersChanged, missed: metersChanged })
      counters.onTrackingRequest(serveTracking)
      subscription = await eventLog.subscribe(options.group, { assigned, revoked, records })
      trimDueMs = clock.now() + TRIM_INTERVAL_MS
      housekeeping = keepHouse()
    },
    drain: unsubscribe,
    async stop() {
      stopping.abort()
      flusher.stop()
      await unsubscribe()
      await Promise.all([housekeeping, meterBook.idle()])
    },
    health() {
      const partitions = progress.health()
      const reasons = progress.reasons()
      return { partitions, reasons, isStalled: partitions.some(({ stalledForMs }) => stalledForMs >= options.stalledAfterMs) }
    },
    flush: flusher.flush,
    metersChanged: meterBook.changed,
  }
}

const HOUSEKEEPING_INTERVAL_MS = 1000
const TRIM_INTERVAL_MS = 60_000

function filterBytes(workers: readonly PartitionWorker[]): number {
  return workers.reduce((sum, worker) => sum + (worker.dedupe()?.filter.bytes() ?? 0), 0)
}

/** The oldest week of all partitions goes first. */
function boundFilterMemory(workers: readonly PartitionWorker[], bytesMax: number, log: Logger): void {
  const filters = workers.flatMap((worker) => worker.dedupe()?.filter ?? [])
  while (filterBytes(workers) > bytesMax) {
    const oldestFirst = filters.sort((a, b) => a.oldestMs() - b.oldestMs())
    if (!oldestFirst.some((filter) => filter.forgetOldest())) return
    log.warn({ bytesMax }, 'dedupe filter forgot a week to stay in its memory: more events are looked up in the usage store')
  }
}
