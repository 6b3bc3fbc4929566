import type { WindowRow } from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import { type CompiledMeter, type CompiledReading, compileMeter } from '../domain/metering.ts'
import { addToTally, aggregateOfTally, createTally, type Tally } from './tally.ts'

/** A meter revision as one partition counts it: from `fromOffset` on, live; below, backfilled. `slot` is its place in `CustomerWindows`. */
export type FoldMeter = { readonly meter: Meter; readonly compiled: CompiledMeter; readonly fromOffset: Offset; readonly slot: number }

export function createFoldMeter(meter: Meter, fromOffset: Offset, slot: number): FoldMeter {
  return { meter, compiled: compileMeter(meter), fromOffset, slot }
}

/** The open windows of one customer, by the slot of the meter. Kept with the customer, so that an event finds them without a key. */
export type CustomerWindows = (MeterWindows | undefined)[]
type MeterWindows = { readonly recent: OpenWindow[]; readonly all: Map<string, OpenWindow> }

/**
 * The windows of the chunk that a partition is in. Only these are in memory: a row is the chunk's own total, so the
 * next chunk starts from nothing. Knows no clock; what it makes depends on the events and their places alone.
 */
export type WindowFold = {
  readonly partition: Partition
  readonly chunkRecords: number
  /** Added to the chunk numbers of rows. */
  readonly chunkBase: number
  /** Of the offsets now folded; -1 before the first. */
  chunk: number
  /** Windows changed since the last `takeRows`. */
  changed: OpenWindow[]
  /** Rows of chunks closed since the last `takeRows`. */
  closed: WindowRow[]
  /** All `CustomerWindows` with a window in this chunk. */
  readonly customers: Set<CustomerWindows>
}

export type OpenWindow = {
  readonly foldMeter: FoldMeter
  readonly customer: CustomerKey
  readonly startMs: InstantMs
  readonly dimensions: readonly string[]
  readonly tally: Tally
  /** The last record that changed it, which is the version of its row: the same wherever a flush or a crash falls. */
  version: Offset
  isChanged: boolean
}

export function createWindowFold(options: { partition: Partition; chunkRecords: number; chunkBase: number }): WindowFold {
  return { ...options, chunk: -1, changed: [], closed: [], customers: new Set() }
}

/** Every record passes here before its events are counted: the first one of another chunk closes the chunk before. */
export function enterRecord(fold: WindowFold, offset: Offset): void {
  const chunk = Math.floor(offset / fold.chunkRecords)
  if (chunk === fold.chunk) return
  closeChunk(fold)
  fold.chunk = chunk
}

/** Counts one event of one meter. False when its value is unreadable. */
export function countInWindow(
  fold: WindowFold,
  windows: CustomerWindows,
  foldMeter: FoldMeter,
  event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs },
  reading: CompiledReading,
  dimensions: readonly string[],
  offset: Offset,
  index: number,
): boolean {
  if (reading.kind === 'unreadable') return false
  const startMs = (Math.floor(event.occurredAtMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  const window = openWindow(fold, windows, foldMeter, event.customer, startMs, dimensions)
  addToTally(window.tally, foldMeter.compiled.aggregation, reading, event.occurredAtMs, offset, index)
  window.version = offset
  if (!window.isChanged) {
    window.isChanged = true
    fold.changed.push(window)
  }
  return true
}

/** Rows of every window changed since the last call, each the chunk's total so far. */
export function takeRows(fold: WindowFold): WindowRow[] {
  const rows = fold.closed
  for (const window of fold.changed) {
    window.isChanged = false
    rows.push(rowOf(fold, window))
  }
  fold.closed = []
  fold.changed = []
  return rows
}

/** How many rows `takeRows` would give. */
export function rowsWaiting(fold: WindowFold): number {
  return fold.closed.length + fold.changed.length
}

/** After `takeRows` nothing is left of the chunk: for a restart. */
export function closeChunk(fold: WindowFold): void {
  fold.closed = takeRows(fold)
  for (const windows of fold.customers) windows.length = 0
  fold.customers.clear()
  fold.chunk = -1
}

export const MINUTE_MS = 60_000
/** Windows of one customer and meter that are compared one by one before a key is made to look further. */
const RECENT_MAX = 8

function openWindow(
  fold: WindowFold,
  windows: CustomerWindows,
  foldMeter: FoldMeter,
  customer: CustomerKey,
  startMs: InstantMs,
  dimensions: readonly string[],
): OpenWindow {
  let ofMeter = windows[foldMeter.slot]
  if (ofMeter === undefined) {
    ofMeter = { recent: [], all: new Map() }
    windows[foldMeter.slot] = ofMeter
    fold.customers.add(windows)
  }
  for (const window of ofMeter.recent) {
    if (window.startMs === startMs && isSame(window.dimensions, dimensions)) return window
  }
  const key = `${startMs}\n${JSON.stringify(dimensions)}`
  let window = ofMeter.all.get(key)
  if (window === undefined) {
    window = { foldMeter, customer, startMs, dimensions, tally: createTally(), version: 0 as Offset, isChanged: false }
    ofMeter.all.set(key, window)
  }
  if (ofMeter.recent.length >= RECENT_MAX) ofMeter.recent.shift()
  ofMeter.recent.push(window)
  return window
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}

function rowOf(fold: WindowFold, window: OpenWindow): WindowRow {
  const { meter, compiled } = window.foldMeter
  return {
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    customer: window.customer,
    windowStartMs: window.startMs,
    dimensions: compiled.dimensionsOf(window.dimensions),
    partition: fold.partition,
    chunk: fold.chunkBase + fold.chunk,
    version: window.version,
    ...aggregateOfTally(window.tally, meter.aggregation),
  }
}
