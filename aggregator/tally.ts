import type { InstantMs, Offset } from '../domain/identity.ts'
import type { Aggregation } from '../domain/meter.ts'
import {
  type Aggregate,
  addQuantities,
  type CompiledReading,
  hasQuantity,
  isLater,
  isLess,
  type Quantity,
  toNano,
} from '../domain/metering.ts'

/** An `Aggregate` in the making, changed in place: one per open window, and per counter and record. */
export type Tally = {
  events: number
  sum: Quantity
  min: Quantity
  max: Quantity
  latest: Quantity
  latestAtMs: InstantMs
  latestOffset: Offset
  latestIndex: number
  unique: Set<string> | null
}

export function createTally(): Tally {
  return {
    events: 0,
    sum: 0,
    min: 0,
    max: 0,
    latest: 0,
    latestAtMs: 0 as InstantMs,
    latestOffset: 0 as Offset,
    latestIndex: 0,
    unique: null,
  }
}

/** False when the reading counts for nothing. */
export function addToTally(tally: Tally, reading: CompiledReading, atMs: InstantMs, offset: Offset, index: number): boolean {
  if (reading.kind === 'unreadable') return false
  const isFirst = tally.events === 0
  tally.events++
  if (reading.kind === 'counted') return true
  if (reading.kind === 'text') {
    tally.unique ??= new Set()
    tally.unique.add(reading.text)
    return true
  }
  const { quantity } = reading
  tally.sum = addQuantities(tally.sum, quantity)
  if (isFirst || isLess(quantity, tally.min)) tally.min = quantity
  if (isFirst || isLess(tally.max, quantity)) tally.max = quantity
  if (isFirst || isLater({ occurredAtMs: atMs, offset, index }, momentOf(tally))) {
    tally.latest = quantity
    tally.latestAtMs = atMs
    tally.latestOffset = offset
    tally.latestIndex = index
  }
  return true
}

export function aggregateOf(tally: Tally, aggregation: Aggregation): Aggregate {
  const isNumeric = hasQuantity(aggregation) && tally.events > 0
  return {
    events: tally.events,
    sum: toNano(tally.sum),
    min: isNumeric ? toNano(tally.min) : null,
    max: isNumeric ? toNano(tally.max) : null,
    latest: isNumeric ? { value: toNano(tally.latest), ...momentOf(tally) } : null,
    unique: tally.unique === null ? [] : [...tally.unique],
  }
}

function momentOf(tally: Tally) {
  return { occurredAtMs: tally.latestAtMs, offset: tally.latestOffset, index: tally.latestIndex }
}
