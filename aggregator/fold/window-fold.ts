import type { WindowRow } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, InstantMs, Offset, Partition } from '../../domain/identity.ts'
import type { Reading } from '../../domain/metering/expressions/compiled-meter.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import { type Dimensions, forgetDimensions, type InternedDimensions } from './dimension-interning.ts'
import type { FoldMeter, MeterGroup } from './event-plans.ts'
import { createLetGoKeys, type LetGoKeys } from './let-go-keys.ts'
import { createSeriesDays, forgetSeriesDays, type SeriesDays } from './series-days.ts'
import { addToTally, aggregateAt, eventsAt } from './tally.ts'
import {
  clearTable,
  createWindowTable,
  emptyTable,
  findPlace,
  highOf,
  KEY_HALF_MAX,
  KEY_NUMBERS,
  lowOf,
  placeOf,
  placesOf,
  tableBytes,
  type WindowTable,
} from './window-table.ts'

/** A customer as the windows in memory know it. */
export type WindowCustomer = {
  /** Its number among the windows in memory; -1 when it has none. */
  number: number
}

/**
 * The windows of the chunk that a partition is in. Only these are in memory: a row is the chunk's own total, so the next chunk
 * starts from nothing. It knows no clock; its rows depend on the events and their places alone.
 *
 * Where they take too much memory, those that are stored are let go of, and come back from the store when one of their events
 * does (`stored-windows.ts`). Nothing that is written depends on that.
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
  readonly table: WindowTable
  readonly interned: InternedDimensions
  /** Days whose combinations of dimensions are bounded one by one. */
  readonly series: SeriesDays
  /** Entries changed since the last `takeRows`, and the most rows that they make. */
  changed: number[]
  changedRows: number
  /** Rows of chunks closed since the last `takeRows`. */
  closed: WindowRow[]
  /** By number. */
  readonly customers: WindowCustomer[]
  readonly customerKeys: CustomerKey[]
  /** By number: minutes and dimensions in which some customer has windows. */
  readonly buckets: Bucket[]
  /** Windows of this chunk that were dropped from memory. */
  readonly letGo: LetGoKeys
  /** By the place of their tally: totals that came back from the store and include events up to this offset, which lies ahead. */
  readonly countedTo: Map<number, Offset>
}

type Bucket = { readonly group: MeterGroup; readonly startMs: InstantMs; readonly dimensions: Dimensions }

export function createWindowFold(options: { partition: Partition; chunkRecords: number; chunkBase: number }): WindowFold {
  return {
    ...options,
    chunk: -1,
    table: createWindowTable(),
    interned: { bytes: 0, by: [], hasGrown: false },
    series: createSeriesDays(),
    changed: [],
    changedRows: 0,
    closed: [],
    customers: [],
    customerKeys: [],
    buckets: [],
    letGo: createLetGoKeys(),
    countedTo: new Map(),
  }
}

/** Every record passes here before its events are counted: the first record of another chunk closes the chunk before. */
export function enterRecord(fold: WindowFold, offset: Offset): void {
  const chunk = Math.floor(offset / fold.chunkRecords)
  if (chunk === fold.chunk) return
  closeChunk(fold)
  fold.chunk = chunk
}

/** Whether the record belongs to the present chunk. */
export function isOfChunk({ chunk, chunkRecords }: WindowFold, offset: Offset): boolean {
  return Math.floor(offset / chunkRecords) === chunk
}

/** The entry in which the meters of a group count an event of this record. */
export function openEntry(
  fold: WindowFold,
  group: MeterGroup,
  customer: WindowCustomer,
  event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs; readonly offset: Offset },
  dimensions: Dimensions,
): number {
  const entry = entryAt(fold, group, customer, event, dimensions)
  const { numbers } = fold.table.tallies
  numbers[entry + VERSION] = event.offset
  if (numbers[entry + IS_CHANGED] === 0) {
    numbers[entry + IS_CHANGED] = 1
    fold.changed.push(entry)
    fold.changedRows += group.meters.length
  }
  return entry
}

/** Created when there is none. */
export function entryAt(
  fold: WindowFold,
  group: MeterGroup,
  customer: WindowCustomer,
  event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs },
  dimensions: Dimensions,
): number {
  const minute = Math.floor(event.occurredAtMs / MINUTE_MS)
  const bucket = dimensions.minute === minute ? dimensions.bucket : bucketAt(fold, group, dimensions, minute)
  if (customer.number < 0) enterCustomer(fold, customer, event.customer)
  return placeOf(fold.table, customer.number, bucket, group.entryNumbers)
}

/** 0 when there is none. */
export function findEntry({ table }: WindowFold, customer: WindowCustomer, dimensions: Dimensions, occurredAtMs: InstantMs): number {
  const bucket = dimensions.buckets.get(Math.floor(occurredAtMs / MINUTE_MS))
  return customer.number < 0 || bucket === undefined ? 0 : findPlace(table, customer.number, bucket)
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
  const place = entry + tallyPlace
  if (fold.countedTo.size > 0 && offset <= (fold.countedTo.get(place) ?? -1)) return
  addToTally(fold.table.tallies, place, compiled.aggregation, reading, atMs, offset, index)
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
  fold.changedRows = 0
  return rows
}

/** The most rows that `takeRows` would give. */
export function rowsWaiting(fold: WindowFold): number {
  return fold.closed.length + fold.changedRows
}

/** Drops the chunk after `takeRows`: for a restart. */
export function closeChunk(fold: WindowFold): void {
  fold.closed = takeRows(fold)
  forgetEntries(fold)
  clearTable(fold.table)
  fold.letGo.forget()
  fold.chunk = -1
}

/** Drops all windows of the chunk from memory; each is in the store as it is here. */
export function letGoOfWindows(fold: WindowFold): void {
  invariant(rowsWaiting(fold) === 0, 'windows are let go of once they are stored')
  const { numbers } = fold.table.tallies
  for (const entry of placesOf(fold.table)) {
    const { bucket, customer } = keyedBy(fold, numbers[entry] ?? 0)
    fold.letGo.add(customer, bucket.dimensions.values, bucket.startMs)
  }
  forgetEntries(fold)
  emptyTable(fold.table)
  forgetSeriesDays(fold.series)
}

/** About how much memory the windows take. */
export function windowBytes({ table, interned, series, customers, buckets, closed, changedRows }: WindowFold): number {
  const rows = closed.length + changedRows
  return (
    tableBytes(table) + interned.bytes + series.bytes + customers.length * CUSTOMER_BYTES + buckets.length * BUCKET_BYTES + rows * ROW_BYTES
  )
}

/** Heap bytes, measured: a customer that cannot be forgotten, a bucket with its place in the map of its dimensions, a row. */
const CUSTOMER_BYTES = 500
const BUCKET_BYTES = 120
const ROW_BYTES = 300

function forgetEntries(fold: WindowFold): void {
  for (const customer of fold.customers) customer.number = -1
  fold.customers.length = 0
  fold.customerKeys.length = 0
  fold.buckets.length = 0
  fold.countedTo.clear()
  forgetDimensions(fold.interned)
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
  const { bucket, customer } = keyedBy(fold, tallies.numbers[entry] ?? 0)
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

function keyedBy({ buckets, customerKeys }: WindowFold, key: number): { readonly bucket: Bucket; readonly customer: CustomerKey } {
  const bucket = buckets[lowOf(key)]
  const customer = customerKeys[highOf(key)]
  invariant(bucket !== undefined && customer !== undefined, 'the keys of a chunk are made of its customers and buckets')
  return { bucket, customer }
}
