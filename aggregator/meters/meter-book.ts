import type { Logger } from 'pino'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { MeterActivation, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import type { AggregatorMetrics } from '../aggregator-metrics.ts'
import type { Flusher } from '../partition/flusher.ts'
import type { PartitionWorker } from '../partition/partition-worker.ts'
import type { WindowMemory } from '../partition/window-memory.ts'
import type { Retry } from '../retry.ts'
import { backfill } from './backfill.ts'
import type { Unfilled } from './partition-meters.ts'

/**
 * Keeps the meters of the partitions in line with the catalog: a new revision is activated where each partition stands, then its
 * earlier events are counted, then the revision that it replaces is dropped. One change at a time; each step may be repeated.
 */
export type MeterBook = {
  /** Reads the definitions in the catalog. */
  load(): Promise<readonly Meter[]>
  /** Reports that the catalog or the set of partitions has changed; everything is brought in line in the background. */
  changed(): void
  /** Called at intervals: continues work that waited for the fold, or failed. */
  tend(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export function createMeterBook(deps: {
  readonly meters: Pick<MeterStore, 'all'>
  readonly usageStore: UsageStore
  readonly partitions: number
  readonly workers: () => readonly PartitionWorker[]
  readonly flusher: Flusher
  readonly windowMemory: WindowMemory
  readonly retry: Retry
  readonly metrics: AggregatorMetrics
  readonly log: Logger
  readonly signal: AbortSignal
}): MeterBook {
  const { meters, usageStore, workers, flusher, retry, metrics, log, signal } = deps
  let reading: Promise<unknown> = Promise.resolve()
  let generation = 0
  let inLineGeneration = 0
  let nextToFill = 0
  let running: Promise<void> | null = null

  /** One at a time, as a late answer would undo a later one. */
  function load(): Promise<readonly Meter[]> {
    const read = reading.then(() => retry.do('read the meters', null, () => meters.all(), signal))
    reading = read.catch(() => undefined)
    return read
  }

  /** Starts over when something changed meanwhile. */
  async function bringInLine(): Promise<void> {
    while (inLineGeneration !== generation && !signal.aborted) {
      const wanted = generation
      const definitions = await load()
      await Promise.all(workers().map((worker) => retry.do('take up meters', worker.partition, () => takeUp(worker, definitions), signal)))
      await fillFrom(nextToFill, () => wanted !== generation)
      if (wanted === generation) await retry.do('drop replaced meters', null, dropReplaced, signal)
      inLineGeneration = wanted
    }
  }

  /** Continues where the last run stopped, by at least one partition: even when meters change all the time, each partition has its turn. */
  async function fillFrom(first: number, isOutdated: () => boolean): Promise<void> {
    const all = workers()
    for (let filled = 0; filled < all.length && (filled === 0 || !isOutdated()); filled++) {
      const worker = all[(first + filled) % all.length]
      if (worker !== undefined) await fill(worker)
      nextToFill++
    }
  }

  /** When asked again after a failure, the partition may belong to another process. */
  async function takeUp(worker: PartitionWorker, definitions: readonly Meter[]): Promise<void> {
    if (workers().includes(worker)) await worker.syncMeters(definitions)
  }

  async function fill(worker: PartitionWorker): Promise<void> {
    const { partition, meters } = worker
    while (meters.unfilled().length > 0) {
      // The events below the activation must be in the store to be counted from there.
      await flusher.flush()
      const unfilled = fillable(worker)
      const [first] = unfilled
      if (first === undefined) break
      const together = unfilled.filter(({ meter }) => meter.tenant === first.meter.tenant && meter.eventType === first.meter.eventType)
      const isWanted = () =>
        !signal.aborted && workers().includes(worker) && together.some(({ activation }) => isUnfilled(worker, activation))
      const events = await retry.do(
        'backfill meters',
        partition,
        () => backfill(usageStore, { partition, unfilled: together }, isWanted, deps.windowMemory),
        signal,
      )
      metrics.backfilled(events)
      if (!isWanted()) return
      for (const { activation } of together) {
        await retry.do('complete a backfill', partition, () => meters.filled(activation), signal)
      }
      log.info({ partition, meters: together.length, events }, 'meters backfilled')
    }
    if (!workers().includes(worker)) return
    worker.meterCompleted()
    await worker.serveTracking()
  }

  /** The activations are read before the catalog: a meter that is in no definition was then deleted, and not just made. */
  async function dropReplaced(): Promise<void> {
    const activations = await usageStore.activations()
    const current = new Map((await meters.all()).map((meter) => [keyOf(meter.tenant, meter.key), meter]))
    const byMeter = Map.groupBy(activations, ({ tenant, meter }) => keyOf(tenant, meter))
    for (const [key, ofMeter] of byMeter) {
      const [item] = ofMeter
      if (item === undefined) continue
      const meter = current.get(key)
      const revisions = ofMeter.map(({ revision }) => revision)
      const complete = new Set(
        ofMeter.filter(({ revision, backfilled }) => backfilled && revision === meter?.revision).map(({ partition }) => partition),
      )
      if (meter !== undefined && (Math.min(...revisions) >= meter.revision || complete.size < deps.partitions)) continue
      // For a deleted meter, only the revisions seen: it may be made again before this arrives.
      await usageStore.dropWindows(item.tenant, item.meter, meter?.revision ?? Math.max(...revisions) + 1)
      log.info({ tenant: item.tenant, meter: item.meter }, 'windows of a replaced meter dropped')
    }
  }

  function changed(): void {
    generation++
    run()
  }

  function run(): void {
    running ??= bringInLine()
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'meters could not be brought in line')
      })
      .finally(() => {
        running = null
      })
  }

  return {
    load,
    changed,
    tend() {
      if (running !== null) return
      if (workers().some((worker) => fillable(worker).length > 0)) changed()
      else if (inLineGeneration !== generation) run()
    },
    async idle() {
      await running
    },
  }
}

/** An earlier life may have activated a meter further on than this one has folded again: then not all events below are stored. */
function fillable({ meters, storedNext }: PartitionWorker): readonly Unfilled[] {
  return meters.unfilled().filter(({ activation }) => activation.fromOffset <= storedNext())
}

function isUnfilled(worker: PartitionWorker, wanted: MeterActivation): boolean {
  return worker.meters.unfilled().some(({ activation }) => activation === wanted)
}

function keyOf(tenant: string, meter: string): string {
  return JSON.stringify([tenant, meter])
}
