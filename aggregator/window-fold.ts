import type { WindowRow } from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition } from '../domain/identity.ts'
import type { Reading } from '../domain/metering.ts'
import { DIMENSION_IDS_MAX, type Dimensions } from './dimension-interning.ts'
import type { FoldMeter, MeterGroup } from './event-plans.ts'
import { addToTally, aggregateOfTally, createTally, type Tally } from './tally.ts'

/** The open windows of one customer, by the slot of the meter group. Kept with the customer, so that an event finds them without a key. */
export type CustomerWindows = (GroupWindows | undefined)[]

/** Keys and cells go together. The last few are compared one by one; with more of them an index finds the others. */
type GroupWindows = { readonly keys: number[]; readonly cells: Cell[]; index: Map<number, Cell> | null }

/** The windows of one customer, minute and dimensions, by the place of the meter in its group. */
export type Cell = {
  readonly customer: CustomerKey
  readonly startMs: InstantMs
  readonly dimensions: Dimensions
  readonly windows: (OpenWindow | undefined)[]
}

export type OpenWindow = Tally & {
  readonly foldMeter: FoldMeter
  readonly cell: Cell
  /** The last record that changed it, which is the version of its row: the same wherever a flush or a crash falls. */
  version: Offset
  isChanged: boolean
}

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
  /** All `CustomerWindows` with a window in this chunk, and the groups that they are of. */
  readonly customers: Set<CustomerWindows>
  readonly groups: Set<MeterGroup>
}

export function createWindowFold(options: { partition: Partition; chunkRecords: number; chunkBase: number }): WindowFold {
  return { ...options, chunk: -1, changed: [], closed: [], customers: new Set(), groups: new Set() }
}

/** Every record passes here before its events are counted: the first one of another chunk closes the chunk before. */
export function enterRecord(fold: WindowFold, offset: Offset): void {
  const chunk = Math.floor(offset / fold.chunkRecords)
  if (chunk === fold.chunk) return
  closeChunk(fold)
  fold.chunk = chunk
}

/** Where the meters of a group count an event. */
export function cellOf(
  fold: WindowFold,
  windows: CustomerWindows,
  group: MeterGroup,
  customer: CustomerKey,
  occurredAtMs: InstantMs,
  dimensions: Dimensions,
): Cell {
  const minute = Math.floor(occurredAtMs / MINUTE_MS)
  const key = minute * DIMENSION_IDS_MAX + dimensions.id
  const ofGroup = windows[group.slot]
  if (ofGroup !== undefined) {
    const { keys, cells } = ofGroup
    for (let at = keys.length - 1, first = Math.max(0, keys.length - COMPARED_MAX); at >= first; at--) {
      if (keys[at] === key) return cells[at] as Cell
    }
    const known = ofGroup.index?.get(key)
    if (known !== undefined) return known
  }
  const startMs = (minute * MINUTE_MS) as InstantMs
  return addCell(fold, windows, group, key, { customer, startMs, dimensions, windows: [] })
}

/** Counts one event of one meter. */
export function countInCell(
  fold: WindowFold,
  cell: Cell,
  foldMeter: FoldMeter,
  reading: Reading,
  atMs: InstantMs,
  offset: Offset,
  index: number,
): void {
  let window = cell.windows[foldMeter.place]
  if (window === undefined) {
    window = { ...createTally(), foldMeter, cell, version: offset, isChanged: false }
    cell.windows[foldMeter.place] = window
  }
  addToTally(window, foldMeter.compiled.aggregation, reading, atMs, offset, index)
  window.version = offset
  if (!window.isChanged) {
    window.isChanged = true
    fold.changed.push(window)
  }
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
  for (const group of fold.groups) group.dimensions.clear()
  fold.customers.clear()
  fold.groups.clear()
  fold.chunk = -1
}

export const MINUTE_MS = 60_000
/** Of one customer and group: its latest minutes, mostly. */
const COMPARED_MAX = 16

function addCell(fold: WindowFold, windows: CustomerWindows, group: MeterGroup, key: number, cell: Cell): Cell {
  let ofGroup = windows[group.slot]
  if (ofGroup === undefined) {
    ofGroup = { keys: [], cells: [], index: null }
    windows[group.slot] = ofGroup
    fold.customers.add(windows)
    fold.groups.add(group)
  }
  const { keys, cells } = ofGroup
  keys.push(key)
  cells.push(cell)
  if (ofGroup.index !== null) ofGroup.index.set(key, cell)
  else if (keys.length > COMPARED_MAX) ofGroup.index = new Map(cells.map((each, at) => [keys[at] as number, each]))
  return cell
}

function rowOf(fold: WindowFold, window: OpenWindow): WindowRow {
  const { meter } = window.foldMeter
  const { events, sum, min, max, latest, unique } = aggregateOfTally(window, meter.aggregation)
  return {
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    customer: window.cell.customer,
    windowStartMs: window.cell.startMs,
    dimensions: window.cell.dimensions.named,
    partition: fold.partition,
    chunk: fold.chunkBase + fold.chunk,
    version: window.version,
    events,
    sum,
    min,
    max,
    latest,
    unique,
  }
}
