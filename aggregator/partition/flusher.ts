import type { Logger } from 'pino'
import {
  type EncodedEvents,
  eventsIn,
  type Flush,
  type StoredEvent,
  type UsageStore,
  type WindowRow,
} from '../../adapters/usage-store/usage-store.ts'
import type { Cancel, Clock } from '../../base/clock.ts'
import { createGatherer } from '../../base/gatherer.ts'
import type { CustomerKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { AggregatorMetrics } from '../aggregator-metrics.ts'
import type { Retry } from '../retry.ts'

/** A source of rows to flush: one per partition. */
export type FlushSource = {
  readonly partition: Partition
  rowsWaiting(): number
  /** Bytes of the log's records among them. */
  bytesWaiting(): number
  /** Everything folded since the last call; null when there is nothing, not even a new position. */
  take(): FlushPart | null
  written(next: Offset): void
}

export type FlushPart = {
  readonly events: readonly StoredEvent[]
  readonly encodedEvents: readonly EncodedEvents[]
  readonly windows: readonly WindowRow[]
  readonly next: Offset
  readonly newCustomers: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]
}

/**
 * Writes the folded rows of all partitions in one flush: when they are many, or a while after the first row. Folding goes on
 * meanwhile, bounded: one flush under way, and one filling.
 */
export type Flusher = {
  add(source: FlushSource): void
  remove(source: FlushSource): void
  /** Reports that something was folded: starts a flush when there is enough, otherwise the timer. */
  folded(): void
  /** Resolves when there is room to fold on. */
  room(): Promise<void>
  /** Resolves when everything folded before the call is stored. */
  flush(): Promise<void>
  /** Whether this source alone has as much as begins a flush. */
  isEnough(source: FlushSource): boolean
  /** No flush starts on its own any more. */
  stop(): void
}

export function createFlusher(deps: {
  readonly usageStore: UsageStore
  readonly ensureCustomers: (customers: FlushPart['newCustomers']) => Promise<void>
  readonly retry: Retry
  readonly metrics: AggregatorMetrics
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly flushIntervalMs: number
  readonly flushRowsMax: number
  readonly flushBytesMax: number
}): Flusher {
  const { usageStore, retry, metrics, clock, log, signal } = deps
  const sources = new Set<FlushSource>()
  let cancelTimer: Cancel | null = null

  function isEnoughIn(some: Iterable<FlushSource>): boolean {
    let rows = 0
    let bytes = 0
    for (const source of some) {
      rows += source.rowsWaiting()
      bytes += source.bytesWaiting()
    }
    return rows >= deps.flushRowsMax || bytes >= deps.flushBytesMax
  }

  /** Taking rows is synchronous, and so is every fold of a record: a flush never holds half a record. */
  async function write(): Promise<void> {
    cancelTimer?.()
    cancelTimer = null
    const parts = [...sources].flatMap((source) => {
      const part = source.take()
      return part === null ? [] : [{ source, part }]
    })
    if (parts.length === 0) return
    const flush: Flush = {
      events: parts.flatMap(({ part }) => part.events),
      encodedEvents: parts.flatMap(({ part }) => part.encodedEvents),
      windows: parts.flatMap(({ part }) => part.windows),
      positions: parts.map(({ source, part }) => ({ partition: source.partition, next: part.next })),
    }
    const newCustomers = parts.flatMap(({ part }) => part.newCustomers)
    const startedAtMs = clock.now()
    log.debug({ events: eventsIn(flush), windows: flush.windows.length }, 'flush begun')
    // Before the positions: a crash in between creates the customer again, and never loses it.
    if (newCustomers.length > 0) await retry.do('make new customers', null, () => deps.ensureCustomers(newCustomers), signal)
    await retry.do('flush to the usage store', null, () => usageStore.write(flush, signal), signal)
    for (const { source, part } of parts) source.written(part.next)
    const tookMs = clock.now() - startedAtMs
    metrics.flushed(flush, tookMs)
    log.debug({ events: eventsIn(flush), windows: flush.windows.length, tookMs }, 'flushed')
  }

  /** A run begins after it was asked for, so it takes everything folded by then. Only `aggregator_stopped` rejects it. */
  const writes = createGatherer(write)

  function flushUnawaited(): void {
    writes.run().catch((error: unknown) => {
      if (!signal.aborted) log.error({ err: error }, 'flush failed')
    })
  }

  return {
    add: (source) => void sources.add(source),
    remove: (source) => void sources.delete(source),
    folded() {
      if (isEnoughIn(sources)) {
        if (!writes.isBusy()) flushUnawaited()
      } else cancelTimer ??= clock.after(deps.flushIntervalMs, flushUnawaited)
    },
    async room() {
      while (isEnoughIn(sources) && !signal.aborted) {
        if (!writes.isBusy()) flushUnawaited()
        await writes.settled()
      }
    },
    flush: writes.run,
    isEnough: (source) => isEnoughIn([source]),
    stop() {
      cancelTimer?.()
      cancelTimer = null
    },
  }
}
