import type { InstantMs, Offset } from '../domain/identity.ts'
import { unreachable } from '../domain/invariant.ts'
import type { Aggregation } from '../domain/meter.ts'
import { type Aggregate, addQuantities, aggregateOf, isLess, type Quantity, type Reading, toNano } from '../domain/metering.ts'

/** An `Aggregate` of one aggregation in the making, changed in place: one per open window, and per counter and record. */
export type Tally = {
  events: number
  /** The sum, the least, the greatest or the latest of what was counted, as the aggregation says. */
  value: Quantity
  /** Of the latest value. */
  occurredAtMs: InstantMs
  offset: Offset
  index: number
  unique: Set<string> | null
}

export function createTally(): Tally {
  return { events: 0, value: 0, occurredAtMs: 0 as InstantMs, offset: 0 as Offset, index: 0, unique: null }
}

export function addToTally(tally: Tally, aggregation: Aggregation, reading: Reading, atMs: InstantMs, offset: Offset, index: number): void {
  const isFirst = tally.events++ === 0
  if (typeof reading === 'object') {
    tally.unique ??= new Set()
    tally.unique.add(reading.text)
    return
  }
  switch (aggregation) {
    case 'sum':
    case 'count':
    case 'avg':
      tally.value = addQuantities(tally.value, reading)
      return
    case 'min':
      if (isFirst || isLess(reading, tally.value)) tally.value = reading
      return
    case 'max':
      if (isFirst || isLess(tally.value, reading)) tally.value = reading
      return
    case 'latest':
      if (!isFirst && !isLatest(tally, atMs, offset, index)) return
      tally.value = reading
      tally.occurredAtMs = atMs
      tally.offset = offset
      tally.index = index
      return
    case 'unique':
      return
    default:
      unreachable(aggregation)
  }
}

export function aggregateOfTally(tally: Tally, aggregation: Aggregation): Aggregate {
  const { events, value, occurredAtMs, offset, index, unique } = tally
  const values = unique === null ? [] : [...unique]
  return aggregateOf(aggregation, { events, value: toNano(value), occurredAtMs, offset, index, unique: values })
}

/** By event time, then by place in the log, as `isLater`; without an object per event. */
function isLatest(tally: Tally, atMs: InstantMs, offset: Offset, index: number): boolean {
  if (atMs !== tally.occurredAtMs) return atMs > tally.occurredAtMs
  return offset !== tally.offset ? offset > tally.offset : index > tally.index
}
