import { BACKFILL_CHUNK_BASE, type MeterActivation, type StoredEvent, type WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { CounterState } from '../../domain/metering/counter-state.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, counterStateOf, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import { isOther } from '../../domain/metering/series.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import { type Difference, showState } from './difference.ts'

export type WindowCheck = {
  /** Meters whose windows are not complete yet. */
  readonly unchecked: readonly Meter[]
  /** All stored rows of a slice, to be added before its events. */
  addStored(rows: readonly WindowRow[]): void
  addEvent(event: StoredEvent, data: object): void
  /** The differences of the slice that ends here. */
  endSlice(): readonly WindowDifference[]
  /** Windows of all slices. */
  size(): number
}

export type WindowDifference = Difference & { readonly meter: Meter }

type CheckedWindow = {
  readonly meter: Meter
  readonly isBackfilled: boolean
  readonly customer: CustomerKey
  readonly startMs: number
  readonly dimensions: Readonly<Record<string, string>>
  expected: Aggregate
  found: Aggregate
  aheadOfPosition: Map<number, Offset> | null
}

/**
 * Compares the windows of one partition as stored with those computed from its events: a window's total over its live chunks, and
 * over those of its backfill.
 *
 * Which combinations of dimensions had a window of their own is read off the stored ones, as a slice may hold a part of a day
 * only: usage of all others must be that of the window of `(other)`.
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
  const liveFrom = new Map(
    options.activations.flatMap((each) => (each.partition === partition ? [[revisionName(each), each.fromOffset] as const] : [])),
  )
  const meters = options.meters.filter(isComplete)
  const byTenant = Map.groupBy(meters, ({ tenant }) => tenant)
  const byRevision = new Map(meters.map((meter) => [revisionName(meter), meter]))
  let windows = new Map<Meter, Map<string, CheckedWindow>>()
  let windowCount = 0

  function windowOf(which: Pick<CheckedWindow, 'meter' | 'isBackfilled' | 'customer' | 'startMs' | 'dimensions'>): CheckedWindow {
    const { meter, dimensions } = which
    let ofMeter = windows.get(meter)
    if (ofMeter === undefined) {
      ofMeter = new Map()
      windows.set(meter, ofMeter)
    }
    let key = momentName(which)
    for (const name in dimensions) key += `\0${name}\0${dimensions[name]}`
    const known = ofMeter.get(key)
    if (known !== undefined) return known
    const made = { ...which, expected: emptyAggregate, found: emptyAggregate, aheadOfPosition: null }
    ofMeter.set(key, made)
    windowCount++
    return made
  }

  return {
    unchecked: options.meters.filter((meter) => !isComplete(meter)),
    size: () => windowCount,
    addStored(rows) {
      for (const row of rows) {
        const meter = byRevision.get(`${row.revision}\0${row.tenant}`)
        // Rows of an earlier revision wait to be dropped; nobody reads them.
        if (meter === undefined) continue
        const isBackfilled = row.chunk >= BACKFILL_CHUNK_BASE
        const { customer, windowStartMs: startMs, dimensions } = row
        const window = windowOf({ meter, isBackfilled, customer, startMs, dimensions })
        window.found = mergeAggregates(window.found, row)
        if (row.version >= position && !isBackfilled) {
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
        const isBackfilled = event.offset < (liveFrom.get(revisionName(meter)) ?? 0)
        const { dimensions } = read
        const window = windowOf({ meter, isBackfilled, customer: event.customer, startMs, dimensions })
        // A flush that a crash interrupted may have written rows, but not the position: such a row holds the events up to its version.
        const aheadTo = window.aheadOfPosition?.get(Math.floor(event.offset / chunkRecords)) ?? -1
        if (event.offset >= position && event.offset > aheadTo) continue
        window.expected = addToAggregate(window.expected, meter.aggregation, read.reading, event)
      }
    },
    endSlice() {
      const ended = windows
      windows = new Map()
      const differences: WindowDifference[] = []
      for (const ofMeter of ended.values()) {
        windowCount -= moveToOther(ofMeter.values())
        for (const window of ofMeter.values()) {
          const difference = isAlike(window.expected, window.found) ? null : differenceIn(window)
          if (difference !== null) differences.push(difference)
        }
      }
      return differences
    },
  }
}

/** Usage of combinations without a stored window belongs to the stored window of `(other)` of its minute, where there is one. Returns how many moved. */
function moveToOther(windows: Iterable<CheckedWindow>): number {
  const others = new Map<string, CheckedWindow>()
  const unstored: CheckedWindow[] = []
  for (const window of windows) {
    if (window.found.events === 0) unstored.push(window)
    else if (isOther(window.dimensions)) others.set(momentName(window), window)
  }
  let moved = 0
  for (const window of unstored) {
    const other = others.get(momentName(window))
    if (other === undefined) continue
    other.expected = mergeAggregates(other.expected, window.expected)
    window.expected = emptyAggregate
    moved++
  }
  return moved
}

function momentName({ customer, startMs, isBackfilled }: Pick<CheckedWindow, 'customer' | 'startMs' | 'isBackfilled'>): string {
  return `${customer}\0${startMs}${isBackfilled ? '\0' : ''}`
}

function revisionName({ tenant, revision }: { readonly tenant: TenantKey; readonly revision: number }): string {
  return `${revision}\0${tenant}`
}

/** Certainly equal, as most windows are. */
function isAlike(a: Aggregate, b: Aggregate): boolean {
  const areSame = a.events === b.events && a.sum === b.sum && a.min === b.min && a.max === b.max
  return areSame && a.latest === null && b.latest === null && a.unique.length === 0 && b.unique.length === 0
}

function differenceIn({ meter, customer, startMs, dimensions, expected, found }: CheckedWindow): WindowDifference | null {
  const wanted = shown(counterStateOf(meter.aggregation, expected), expected.events)
  const stored = shown(counterStateOf(meter.aggregation, found), found.events)
  if (wanted === stored) return null
  const minute = new Date(startMs).toISOString()
  const where = `meter ${meter.key}, customer ${customer}, minute ${minute}, dimensions ${JSON.stringify(dimensions)}`
  return { view: 'usage_windows', where, expected: wanted, found: stored, meter }
}

function completeOn(partition: Partition, activations: readonly MeterActivation[]): (meter: Meter) => boolean {
  const backfilled = new Set(activations.filter((each) => each.backfilled && each.partition === partition).map(revisionName))
  return (meter) => backfilled.has(revisionName(meter))
}

function shown(state: CounterState | null, events: number): string {
  return `${events} events, ${showState(state)}`
}
