import type { Logger } from 'pino'
import { Counter, Gauge, type Registry } from 'prom-client'
import { tellMemory } from '../../../base/bounds/memory-owners.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Offset } from '../../../domain/identity.ts'
import type { OnPanic } from '../../lmdb/lmdb-failure.ts'
import type { Counters } from '../counters.ts'
import type { DropReason } from '../drop-reason.ts'
import { sweepHolds } from '../sweep-holds.ts'
import { createTrackingRequests, type TrackingRequestBounds } from '../tracking-requests.ts'
import { type CounterFile, openCounterFile } from './counter-file.ts'
import { CounterTable } from './counter-table.ts'
import { createCounterWriter } from './counter-writer.ts'
import { createEmbeddedHolds, type HoldBounds } from './embedded-holds.ts'
import { endedHoldKey } from './hold-rows.ts'
import { HoldTable } from './hold-table.ts'
import { snapshotOf, usedUnitsIn } from './live-counter.ts'

export type EmbeddedCountersOptions = {
  /** A directory for the counters alone; created when it does not exist. */
  readonly path: string
  readonly onPanic?: OnPanic
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** The longest time from applying a change until it is on disk. */
  readonly flushIntervalMs?: number
  readonly holdBounds?: HoldBounds
  readonly trackingRequests?: TrackingRequestBounds
}

/**
 * Counters in the memory of this process, written to LMDB behind it. One write is one transaction and holds every change with the
 * positions they reach, so a crash loses only what the log replays.
 */
export async function createEmbeddedCounters({ path, onPanic, ...options }: EmbeddedCountersOptions): Promise<Counters> {
  return createCountersIn(openCounterFile(path, onPanic), options)
}

export function createCountersIn(file: CounterFile, options: Omit<EmbeddedCountersOptions, 'path' | 'onPanic'>): Counters {
  const { clock, log, flushIntervalMs = 1000 } = options
  const metrics = createMetrics(options.registry, () => table)
  const holds = new HoldTable(
    (name) => file.get(endedHoldKey(name)),
    (state) => metrics.holdsEnded.inc({ state }),
  )
  const table = new CounterTable(holds)
  for (const row of file.rows()) table.load(row)
  const requests = createTrackingRequests(options.trackingRequests)
  const writer = createCounterWriter({
    file,
    table,
    clock,
    log,
    rowsWritten: metrics.rows,
    writeFailures: metrics.failures,
    flushIntervalMs,
  })
  log.info({ counters: table.counterCount, holds: holds.liveCount }, 'counters loaded')
  const stopSweeping = sweepHolds({ clock, holds, file, writer })

  return {
    ...createEmbeddedHolds(table, writer, options.holdBounds),
    async position(partition) {
      return table.position(partition)
    },
    // Everything in memory was applied by this process, or loaded with the position that it had on disk.
    async confirm(partition, at) {
      return at === null || table.position(partition) === at
    },
    async apply(partition, records) {
      writer.assertOpen()
      const nowMs = clock.now()
      const results: Record<DropReason | 'counted', number> = { counted: 0, untracked: 0, other_definition: 0, before_tracking: 0 }
      for (const { offset, deltas, settles = [] } of records) {
        if (offset < table.position(partition)) continue
        for (const delta of deltas) results[table.count(partition, delta, nowMs) ?? 'counted']++
        for (const hold of settles) holds.settled(hold, nowMs)
        table.moveTo(partition, (offset + 1) as Offset)
      }
      for (const [result, deltas] of Object.entries(results)) if (deltas > 0) metrics.deltas.inc({ result }, deltas)
      writer.schedule()
    },
    async track(customer, counters, at) {
      writer.assertOpen()
      if (table.position(customer.partition) !== at) return false
      table.replace(customer, counters)
      writer.schedule()
      return true
    },
    async tracked(customer) {
      return new Map([...(table.of(customer) ?? [])].map(([feature, { definition }]) => [feature, definition]))
    },
    read(customer, wanted, nowMs) {
      writer.assertOpen()
      if (holds.expire(nowMs) > 0) writer.schedule()
      const counters = table.of(customer)
      return wanted.map(({ feature, periodStartMs }) => {
        const counter = counters?.get(feature)
        if (counter === undefined) return undefined
        const { definition, trackedFromMs, periods } = counter
        const heldUnits = holds.heldUnits(customer, feature, periodStartMs)
        return { definition, trackedFromMs, usedUnits: usedUnitsIn(periods.get(periodStartMs)), heldUnits }
      })
    },
    async requestTracking(customer) {
      requests.place(customer)
    },
    async takeTrackingRequests(partition) {
      return requests.take(partition)
    },
    onTrackingRequest(listener) {
      requests.onPlaced(listener)
    },
    async *scan(partition) {
      for (const customer of table.customers(partition)) {
        // Looked up when its turn comes, as it may have been dropped since the scan began.
        const counters = table.of(customer)
        if (counters !== undefined) yield { customer, counters: [...counters.values()].map(snapshotOf) }
      }
    },
    async reset(partition, position) {
      writer.assertOpen()
      table.clear(partition)
      table.moveTo(partition, position)
      await writer.flush()
    },
    flush: () => writer.flush(),
    ping: () => writer.ping(),
    snapshot: file.snapshot,
    async stop() {
      stopSweeping()
      await writer.stop()
    },
  }
}

type Metrics = {
  readonly deltas: Counter<'result'>
  readonly rows: Counter
  readonly failures: Counter
  readonly holdsEnded: Counter<'state'>
}

/** About what one takes: its object, its maps, its keys. */
const COUNTER_BYTES = 600
const HOLD_BYTES = 400

function createMetrics(registry: Registry, table: () => CounterTable): Metrics {
  tellMemory(registry, 'counters', () => table().counterCount * COUNTER_BYTES)
  tellMemory(registry, 'holds', () => table().holds.liveCount * HOLD_BYTES)
  new Gauge({
    name: 'tollgate_counters_tracked',
    help: 'Counters (customer and feature) that are kept',
    registers: [registry],
    collect() {
      this.set(table().counterCount)
    },
  })
  new Gauge({
    name: 'tollgate_holds_live',
    help: 'Holds under way: neither settled nor released nor expired',
    registers: [registry],
    collect() {
      this.set(table().holds.liveCount)
    },
  })
  return {
    deltas: new Counter({
      name: 'tollgate_counter_deltas_total',
      help: 'Deltas handed to the counters, by what became of them: counted, untracked, other_definition, before_tracking',
      labelNames: ['result'],
      registers: [registry],
    }),
    rows: new Counter({ name: 'tollgate_counter_rows_written_total', help: 'Rows of counters written to disk', registers: [registry] }),
    failures: new Counter({
      name: 'tollgate_counter_write_failures_total',
      help: 'Writes of counters to disk that failed and were tried again',
      registers: [registry],
    }),
    holdsEnded: new Counter({
      name: 'tollgate_holds_ended_total',
      help: 'Holds that ended, by how: settled (its usage was counted), released, expired',
      labelNames: ['state'],
      registers: [registry],
    }),
  }
}
