import type { WindowRow } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, InstantMs, Offset, Partition } from '../../domain/identity.ts'
import type { Reading } from '../../domain/metering/compiled-meter.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import type { Dimensions } from './dimension-interning.ts'
import type { FoldMeter, MeterGroup } from './event-plans.ts'
import { addToTally, aggregateAt, eventsAt } from './tally.ts'
import { clearTable, createWindowTable, highOf, KEY_HALF_MAX, KEY_NUMBERS, lowOf, placeOf, type WindowTable } from './window-table.ts'

/** A customer as the windows of one chunk know it. */
export type WindowCustomer = {
  /** Its number in the present chunk; -1 when it has no windows there. */
  number: number
}

/**
 * The windows of the chunk that a partition is in. Only these are in memory: a row is the chunk's own total, so the next chunk
 * starts from nothing. It knows no clock; its rows depend on the events and their places alone.
 *
 * The windows of one customer, minute and dimensions are one entry of the table for all meters of a group: its key, the last
 * record that changed it, whether it changed since the last flush, and a tally for each meter.
 */
export type WindowFold = {
  readonly partition: Partition
  readonly chunkRecords: number
  /** Added to the chunk numbers of rows. */
  readonly chunkBase: number
  /** Chunk of the offsets being folded; -1 before the first. */
  chunk: number
  /** Different in every chunk. */
  epoch: number
  readonly table: WindowTable
  /** Entries changed since the last `takeRows`. */
  changed: number[]
  /** Rows of chunks closed since the last `takeRows`. */
  closed: WindowRow[]
  /** By number. */
  readonly customers: WindowCustomer[]
  readonly customerKeys: CustomerKey[]
  /** By number: minutes and dimensions in which some customer of the chunk has windows. */
  readonly buckets: Bucket[]
}

type Bucket = { readonly group: MeterGroup; readonly startMs: InstantMs; readonly dimensions: Dimensions }

export function createWindowFold(options: { partition: Partition; chunkRecords: number; chunkBase: number }): WindowFold {
  return {
    ...options,
    chunk: -1,
    epoch: 1,
    table: createWindowTable(),
    changed: [],
    closed: [],
    customers: [],
    customerKeys: [],
    buckets: [],
  }
}

/** Every record passes here before its events are counted: the first record of another chunk closes the chunk before. */
export function enterRecord(fold: WindowFold, offset: Offset): void {
  const chunk = Math.floor(offset / fold.chunkRecords)
  if (chunk === fold.chunk) return
  closeChunk(fold)
  fold.chunk = chunk
}

/** The entry in which the meters of a group count an event of this record. */
export function openEntry(
  fold: WindowFold,
  group: MeterGroup,
  customer: WindowCustomer,
  event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs; readonly offset: Offset },
  dimensions: Dimensions,
): number {
  const minute = Math.floor(event.occurredAtMs / MINUTE_MS)
  const bucket = dimensions.minute === minute ? dimensions.bucket : bucketAt(fold, group, dimensions, minute)
  if (customer.number < 0) enterCustomer(fold, customer, event.customer)
  const entry = placeOf(fold.table, customer.number, bucket, group.entryNumbers)
  const { numbers } = fold.table.tallies
  numbers[entry + VERSION] = event.offset
  if (numbers[entry + IS_CHANGED] === 0) {
    numbers[entry + IS_CHANGED] = 1
    fold.changed.push(entry)
  }
  return entry
}

/** Counts one event of one meter of the entry's group. */
export function countInEntry(
  fold: WindowFold,
  entry: number,
  { tallyPlace, compiled }: FoldMeter,
  reading: Reading,
  atMs: InstantMs,
  offset: Offset,
  index: number,
): void {
  addToTally(fold.table.tallies, entry + tallyPlace, compiled.aggregation, reading, atMs, offset, index)
}

/** Rows of every window changed since the last call, each the chunk's total so far. */
export function takeRows(fold: WindowFold): WindowRow[] {
  const rows = fold.closed
  const { numbers } = fold.table.tallies
  for (const entry of fold.changed) {
    numbers[entry + IS_CHANGED] = 0
    addRows(fold, entry, rows)
  }
  fold.closed = []
  fold.changed = []
  return rows
}

/** About how many rows `takeRows` would give. */
export function rowsWaiting(fold: WindowFold): number {
  return fold.closed.length + fold.changed.length
}

/** Drops the chunk after `takeRows`: for a restart. */
export function closeChunk(fold: WindowFold): void {
  fold.closed = takeRows(fold)
  for (const customer of fold.customers) customer.number = -1
  fold.customers.length = 0
  fold.customerKeys.length = 0
  fold.buckets.length = 0
  clearTable(fold.table)
  fold.chunk = -1
  fold.epoch++
}

/** Places in an entry. */
const VERSION = KEY_NUMBERS
const IS_CHANGED = KEY_NUMBERS + 1

function enterCustomer({ customers, customerKeys }: WindowFold, customer: WindowCustomer, key: CustomerKey): void {
  customer.number = customers.length
  invariant(customer.number < KEY_HALF_MAX, `a chunk has events of at most ${KEY_HALF_MAX} customers`)
  customers.push(customer)
  customerKeys.push(key)
}

function bucketAt({ buckets }: WindowFold, group: MeterGroup, dimensions: Dimensions, minute: number): number {
  let bucket = dimensions.buckets.get(minute)
  if (bucket === undefined) {
    bucket = buckets.length
    invariant(bucket < KEY_HALF_MAX, `a chunk has at most ${KEY_HALF_MAX} minutes and combinations of dimensions`)
    buckets.push({ group, startMs: (minute * MINUTE_MS) as InstantMs, dimensions })
    dimensions.buckets.set(minute, bucket)
  }
  dimensions.minute = minute
  dimensions.bucket = bucket
  return bucket
}

/**
 * One row for each meter that counted something. The version is the entry's, which another meter of the group may have moved on;
 * that is harmless, as it grows with the row and is the same wherever a flush or a crash falls.
 */
function addRows(fold: WindowFold, entry: number, rows: WindowRow[]): void {
  const { tallies } = fold.table
  const key = tallies.numbers[entry] ?? 0
  const bucket = fold.buckets[lowOf(key)]
  const customer = fold.customerKeys[highOf(key)]
  invariant(bucket !== undefined && customer !== undefined, 'the keys of a chunk are made of its customers and buckets')
  for (const { meter, tallyPlace } of bucket.group.meters) {
    if (eventsAt(tallies, entry + tallyPlace) === 0) continue
    const { events, sum, min, max, latest, unique } = aggregateAt(tallies, entry + tallyPlace, meter.aggregation)
    rows.push({
      tenant: meter.tenant,
      meter: meter.key,
      revision: meter.revision,
      customer,
      windowStartMs: bucket.startMs,
      dimensions: bucket.dimensions.named,
      partition: fold.partition,
      chunk: fold.chunkBase + fold.chunk,
      version: (tallies.numbers[entry + VERSION] ?? 0) as Offset,
      events,
      sum,
      min,
      max,
      latest,
      unique,
    })
  }
}
