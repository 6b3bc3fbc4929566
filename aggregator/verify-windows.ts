import { BACKFILL_CHUNK_BASE, type MeterActivation, type StoredEvent, type WindowRow } from '../adapters/usage-store/usage-store.ts'
import type { CounterState } from '../domain/counter-state.ts'
import { readEvent } from '../domain/event-reading.ts'
import type { Offset, Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import { type Aggregate, addToAggregate, counterStateOf, emptyAggregate, mergeAggregates } from '../domain/metering.ts'
import { type Difference, showState } from './difference.ts'

const MINUTE_MS = 60_000

export type WindowCheck = {
  /** Meters whose windows are not complete yet. */
  readonly unchecked: readonly Meter[]
  /** All stored rows first, then all events. */
  addStored(rows: readonly WindowRow[]): void
  addEvent(event: StoredEvent, data: object): void
  differences(): Iterable<Difference>
  size(): number
}

type CheckedWindow = {
  readonly meter: Meter
  readonly where: string
  expected: Aggregate
  found: Aggregate
  aheadOfPosition: Map<number, Offset> | null
}

/**
 * The windows of one partition as stored beside the same computed from its events. What is compared is what is read:
 * a window's total over its chunks, live and backfilled.
 */
export function createWindowCheck(options: {
  readonly partition: Partition
  readonly position: Offset
  readonly chunkRecords: number
  readonly meters: readonly Meter[]
  readonly activations: readonly MeterActivation[]
}): WindowCheck {
  const { partition, position, chunkRecords } = options
  const isComplete = completeOn(partition, options.activations)
  const meters = options.meters.filter(isComplete)
  const byTenant = Map.groupBy(meters, ({ tenant }) => tenant)
  const byRevision = new Map(meters.map((meter) => [`${meter.tenant}\0${meter.key}\0${meter.revision}`, meter]))
  const windows = new Map<string, CheckedWindow>()

  function windowOf(meter: Meter, customer: string, startMs: number, dimensions: Readonly<Record<string, string>>): CheckedWindow {
    const named = JSON.stringify(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1)))
    const key = [meter.tenant, meter.key, customer, startMs, named].join('\0')
    const known = windows.get(key)
    if (known !== undefined) return known
    const where = `meter ${meter.key}, customer ${customer}, minute ${new Date(startMs).toISOString()}, dimensions ${JSON.stringify(dimensions)}`
    const made: CheckedWindow = { meter, where, expected: emptyAggregate, found: emptyAggregate, aheadOfPosition: null }
    windows.set(key, made)
    return made
  }

  return {
    unchecked: options.meters.filter((meter) => !isComplete(meter)),
    size: () => windows.size,
    addStored(rows) {
      for (const row of rows) {
        const meter = byRevision.get(`${row.tenant}\0${row.meter}\0${row.revision}`)
        // Rows of a revision before wait to be dropped; nobody reads them.
        if (meter === undefined) continue
        const window = windowOf(meter, row.customer, row.windowStartMs, row.dimensions)
        window.found = mergeAggregates(window.found, row)
        if (row.version >= position && row.chunk < BACKFILL_CHUNK_BASE) {
          window.aheadOfPosition ??= new Map()
          window.aheadOfPosition.set(row.chunk, row.version)
        }
      }
    },
    addEvent(event, data) {
      for (const meter of byTenant.get(event.tenant) ?? []) {
        const read = readEvent(meter, event, data)
        if (read === null || 'unreadable' in read.reading) continue
        const startMs = Math.floor(event.occurredAtMs / MINUTE_MS) * MINUTE_MS
        const window = windowOf(meter, event.customer, startMs, read.dimensions)
        // A flush cut short by a crash may have written rows, but not the position: such a row holds what came up to its version.
        const aheadTo = window.aheadOfPosition?.get(Math.floor(event.offset / chunkRecords)) ?? -1
        if (event.offset >= position && event.offset > aheadTo) continue
        window.expected = addToAggregate(window.expected, meter.aggregation, read.reading, event)
      }
    },
    *differences() {
      for (const { meter, where, expected, found } of windows.values()) {
        const wanted = shown(counterStateOf(meter.aggregation, expected), expected.events)
        const stored = shown(counterStateOf(meter.aggregation, found), found.events)
        if (wanted !== stored) yield { view: 'usage_windows', where, expected: wanted, found: stored }
      }
    },
  }
}

function completeOn(partition: Partition, activations: readonly MeterActivation[]): (meter: Meter) => boolean {
  const backfilled = new Set(
    activations
      .filter((each) => each.backfilled && each.partition === partition)
      .map(({ tenant, meter, revision }) => `${tenant}\0${meter}\0${revision}`),
  )
  return (meter) => backfilled.has(`${meter.tenant}\0${meter.key}\0${meter.revision}`)
}

function shown(state: CounterState | null, events: number): string {
  return `${events} events, ${showState(state)}`
}
