import { unreachable } from '../../base/invariant.ts'
import { NANO } from '../decimal.ts'
import type { InstantMs, Offset } from '../identity.ts'
import { type CounterState, usedQuantity } from './counter-state.ts'
import type { DimensionFilter } from './dimension-filter.ts'
import { compiledMeter, type MeterReading } from './expressions/compiled-meter.ts'
import type { Aggregation, MeterDefinition } from './meter.ts'
import { toNano } from './quantity.ts'

/** Reads one event under a meter. `data` is the event's parsed data object. Null when the meter's `where` does not select it. */
export function readMeterValue(meter: MeterDefinition, data: object): MeterReading | null {
  const reading = compiledMeter(meter).read(data)
  if (reading === 'not_selected') return null
  if (typeof reading === 'string') return { unreadable: reading }
  if (typeof reading !== 'object') return { value: toNano(reading), text: null }
  return 'text' in reading ? { value: 0n, text: reading.text } : { value: toNano(reading.quantity), text: null, note: reading }
}

/** Dimension names ascending. A missing property or an object is '', numbers and booleans are their text. */
export function readDimensions(meter: MeterDefinition, data: object): Readonly<Record<string, string>> {
  const compiled = compiledMeter(meter)
  return compiled.dimensionsOf(compiled.readDimensions(data))
}

/** Passes when every named dimension has one of the filter's values; a dimension that the meter lacks counts as ''. */
export function matchesFilter(filter: DimensionFilter, dimensions: Readonly<Record<string, string>>): boolean {
  for (const name in filter) {
    const wanted = filter[name]
    const value = Object.hasOwn(dimensions, name) ? dimensions[name] : ''
    if (wanted !== undefined && !wanted.includes(value ?? '')) return false
  }
  return true
}

/** Content of a window, a chunk of one, or any sum of windows; the fields have the meaning of `WindowRow`'s. */
export type Aggregate = {
  readonly events: number
  readonly sum: bigint
  readonly min: bigint | null
  readonly max: bigint | null
  readonly latest: LatestValue | null
  readonly unique: readonly string[]
}
export type LatestValue = { readonly value: bigint; readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }

/** Event time and place in the log: decide which of two values is the latest. */
export type EventMoment = { readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }

export const emptyAggregate: Aggregate = { events: 0, sum: 0n, min: null, max: null, latest: null, unique: [] }

export function addToAggregate(aggregate: Aggregate, aggregation: Aggregation, reading: MeterReading, moment: EventMoment): Aggregate {
  if ('unreadable' in reading) return aggregate
  const { value, text } = reading
  return mergeAggregates(aggregate, aggregateOf(aggregation, { events: 1, value, ...moment, unique: text === null ? [] : [text] }))
}

/**
 * Fills only the fields that answer the aggregation, so that rows are slim: sums for sum, count and avg; `value` is the sum, the
 * least, the greatest or the latest.
 */
export function aggregateOf(
  aggregation: Aggregation,
  { events, value, unique, occurredAtMs, offset, index }: EventMoment & Pick<Aggregate, 'events' | 'unique'> & { readonly value: bigint },
): Aggregate {
  switch (aggregation) {
    case 'sum':
    case 'count':
    case 'avg':
      return { ...emptyAggregate, events, sum: value }
    case 'min':
    case 'max':
      return { ...emptyAggregate, events, [aggregation]: value }
    case 'latest':
      return { ...emptyAggregate, events, latest: { value, occurredAtMs, offset, index } }
    case 'unique':
      return { ...emptyAggregate, events, unique }
    default:
      return unreachable(aggregation)
  }
}

/** Commutative and associative, so windows, chunks and edges merge in any order. */
export function mergeAggregates(a: Aggregate, b: Aggregate): Aggregate {
  return {
    events: a.events + b.events,
    sum: a.sum + b.sum,
    min: a.min === null || (b.min !== null && b.min < a.min) ? b.min : a.min,
    max: a.max === null || (b.max !== null && b.max > a.max) ? b.max : a.max,
    latest: a.latest === null || (b.latest !== null && isLater(b.latest, a.latest)) ? b.latest : a.latest,
    unique: a.unique.length === 0 ? b.unique : b.unique.length === 0 ? a.unique : [...new Set([...a.unique, ...b.unique])],
  }
}

/** By event time, then by place in the log. */
export function isLater(a: EventMoment, b: EventMoment): boolean {
  if (a.occurredAtMs !== b.occurredAtMs) return a.occurredAtMs > b.occurredAtMs
  if (a.offset !== b.offset) return a.offset > b.offset
  return a.index > b.index
}

/**
 * The answer of a meter in nano units, from a merged row of windows or an aggregate. Null where nothing was counted and there is
 * no number for nothing (min, max, avg, latest); sums and counts are then 0. An average is rounded half up to 9 digits.
 */
export function aggregateValue(
  aggregation: Aggregation,
  row: Pick<Aggregate, 'events' | 'sum' | 'min' | 'max' | 'unique'> & { readonly latest: bigint | LatestValue | null },
): bigint | null {
  switch (aggregation) {
    case 'sum':
    case 'count':
      return row.sum
    case 'unique':
      return BigInt(row.unique.length) * NANO
    case 'min':
      return row.min
    case 'max':
      return row.max
    case 'latest':
      return typeof row.latest === 'object' ? (row.latest?.value ?? null) : row.latest
    case 'avg':
      return row.events === 0 ? null : usedQuantity({ kind: 'average', sum: row.sum, events: row.events })
    default:
      return unreachable(aggregation)
  }
}

/** The counter state of an aggregate; null when nothing was counted. */
export function counterStateOf(aggregation: Aggregation, aggregate: Aggregate): CounterState | null {
  if (aggregate.events === 0) return null
  switch (aggregation) {
    case 'sum':
    case 'count':
      return { kind: 'add', amount: aggregate.sum }
    case 'min':
    case 'max': {
      const value = aggregate[aggregation]
      return value === null ? null : { kind: aggregation, value }
    }
    case 'avg':
      return { kind: 'average', sum: aggregate.sum, events: aggregate.events }
    case 'latest':
      return aggregate.latest === null ? null : { kind: 'latest', ...aggregate.latest }
    case 'unique':
      return { kind: 'unique', values: aggregate.unique }
    default:
      return unreachable(aggregation)
  }
}
