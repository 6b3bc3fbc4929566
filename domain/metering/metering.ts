import { unreachable } from '../../base/invariant.ts'
import { NANO, parseQuantity } from '../decimal.ts'
import type { InstantMs, Offset } from '../identity.ts'
import { type CounterState, usedQuantity } from './counter-state.ts'
import type { DimensionFilter } from './dimension-filter.ts'
import type { Aggregation, MeterDefinition } from './meter.ts'

/** Why a meter counts nothing for an event. The event itself is kept. */
export type Unreadable = 'missing' | 'not_a_number' | 'not_exact'

/**
 * What an event adds to a meter. `value` is in nano units: 1 unit for `count`, 0n for `unique`, which has `text`, the
 * value to tell apart.
 */
export type MeterReading = { readonly value: bigint; readonly text: string | null } | { readonly unreadable: Unreadable }

/** Reads one event under a meter. `data` is the event's parsed data object. */
export function readMeterValue(meter: MeterDefinition, data: object): MeterReading {
  const reading = compiledMeter(meter).read(data)
  if (typeof reading === 'string') return { unreadable: reading }
  return typeof reading === 'object' ? { value: 0n, text: reading.text } : { value: toNano(reading), text: null }
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

/** Whole units as a safe integer, which most events have and which adds fast; anything else in nano units. */
export type Quantity = number | bigint

/** What an event adds: a quantity, or the text to tell apart. */
export type Reading = Quantity | { readonly text: string }
export type CompiledReading = Reading | Unreadable

/** A meter made ready for a stream of events: paths are split once, dimension names sorted once. */
export type CompiledMeter = {
  readonly aggregation: Aggregation
  /** Ascending; `readDimensions` answers in this order. */
  readonly dimensionNames: readonly string[]
  /** False when an event counts without a look at its data. */
  readonly needsData: boolean
  read(data: object): CompiledReading
  readDimensions(data: object): readonly string[]
  /** One per dimension, in their order. */
  readonly dimensionReaders: readonly ((data: object) => string)[]
  dimensionsOf(values: readonly string[]): Readonly<Record<string, string>>
}

/** Compiled once for as long as the definition is in use. */
export function compiledMeter(meter: MeterDefinition): CompiledMeter {
  const known = compiledMeters.get(meter)
  if (known !== undefined) return known
  const compiled = compileMeter(meter)
  compiledMeters.set(meter, compiled)
  return compiled
}

const compiledMeters = new WeakMap<MeterDefinition, CompiledMeter>()

export function compileMeter(meter: MeterDefinition): CompiledMeter {
  const valuePaths = meter.value.map(compilePath)
  const dimensionNames = Object.keys(meter.dimensions).sort()
  const dimensionReaders = dimensionNames.map((name) => {
    const path = compilePath(meter.dimensions[name] ?? name)
    return (data: object) => dimensionText(valueAt(data, path))
  })
  return {
    aggregation: meter.aggregation,
    dimensionNames,
    needsData: meter.aggregation !== 'count' || dimensionNames.length > 0,
    read: readerOf(meter.aggregation, valuePaths),
    readDimensions: (data) => dimensionReaders.map((read) => read(data)),
    dimensionReaders,
    dimensionsOf: (values) => Object.fromEntries(dimensionNames.map((name, index) => [name, values[index] ?? ''])),
  }
}

/** What a window, a chunk of one, or any sum of windows holds; the fields have the meaning of `WindowRow`'s. */
export type Aggregate = {
  readonly events: number
  readonly sum: bigint
  readonly min: bigint | null
  readonly max: bigint | null
  readonly latest: LatestValue | null
  readonly unique: readonly string[]
}
export type LatestValue = { readonly value: bigint; readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }

/** When and where in the log an event stands: decides which of two values is the latest. */
export type EventMoment = { readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }

export const emptyAggregate: Aggregate = { events: 0, sum: 0n, min: null, max: null, latest: null, unique: [] }

export function addToAggregate(aggregate: Aggregate, aggregation: Aggregation, reading: MeterReading, moment: EventMoment): Aggregate {
  if ('unreadable' in reading) return aggregate
  const { value, text } = reading
  return mergeAggregates(aggregate, aggregateOf(aggregation, { events: 1, value, ...moment, unique: text === null ? [] : [text] }))
}

/**
 * Of each aggregation only what answers it, so that rows are slim: sums for sum, count and avg, and `value` is the sum,
 * the least, the greatest or the latest.
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
 * The answer of a meter in nano units, from a merged row of windows or an aggregate. Null where nothing was counted and
 * nothing is no number (min, max, avg, latest); sums and counts are then 0. An average is rounded half up to 9 digits.
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

/** What a counter keeps of an aggregate; null when nothing was counted. */
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

/** Nano units of a quantity. */
export function toNano(quantity: Quantity): bigint {
  return typeof quantity === 'number' ? BigInt(quantity) * NANO : quantity
}

/** The literal key first, so that `{"a.b": 1}` is found too; then property by property. */
type Path = { readonly key: string; readonly steps: readonly string[] }

function compilePath(path: string): Path {
  return { key: path, steps: path.includes('.') ? path.split('.') : [] }
}

function valueAt(data: object, path: Path): unknown {
  const direct = ownProperty(data, path.key)
  if (direct !== undefined || path.steps.length === 0) return direct
  let value: unknown = data
  for (const step of path.steps) {
    if (typeof value !== 'object' || value === null) return undefined
    value = ownProperty(value, step)
  }
  return value
}

/** Own only: a path such as `constructor` names nothing that every object has. What every object has is no number or text. */
function ownProperty(object: object, key: string): unknown {
  const value = (object as Readonly<Record<string, unknown>>)[key]
  return typeof value === 'number' || typeof value === 'string' || Object.hasOwn(object, key) ? value : undefined
}

function readerOf(aggregation: Aggregation, paths: readonly Path[]): (data: object) => CompiledReading {
  // A count adds up units, so that usage said outright adds to it too.
  if (aggregation === 'count') return () => 1
  const [only] = paths
  if (aggregation === 'unique') return (data) => readText(data, paths)
  if (paths.length === 1 && only !== undefined) return (data) => readQuantity(valueAt(data, only))
  return (data) => readSum(data, paths)
}

function readQuantity(value: unknown): Quantity | Unreadable {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value
    return Number.isFinite(value) ? (parseQuantity(value) ?? 'not_exact') : 'not_a_number'
  }
  if (typeof value === 'string') return parseQuantity(value) ?? (PLAIN_DECIMAL.test(value) ? 'not_exact' : 'not_a_number')
  return value === undefined || value === null ? 'missing' : 'not_a_number'
}

const PLAIN_DECIMAL = /^-?\d+(\.\d+)?$/

/** A property that is absent adds nothing, so that the whole is the sum of its parts; only an event with none of them is without a value. */
function readSum(data: object, paths: readonly Path[]): CompiledReading {
  let sum: Quantity | null = null
  for (const path of paths) {
    const quantity = readQuantity(valueAt(data, path))
    if (quantity === 'missing') continue
    if (typeof quantity === 'string') return quantity
    sum = sum === null ? quantity : addQuantities(sum, quantity)
  }
  return sum ?? 'missing'
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return toNano(a) + toNano(b)
}

export function isLess(a: Quantity, b: Quantity): boolean {
  return typeof a === 'number' && typeof b === 'number' ? a < b : toNano(a) < toNano(b)
}

/** Several properties are one value of several parts. */
function readText(data: object, paths: readonly Path[]): CompiledReading {
  const parts = paths.map((path) => valueAt(data, path)).map((value) => (isScalar(value) ? String(value) : null))
  if (parts.every((part) => part === null)) return 'missing'
  const [only] = parts
  return { text: parts.length === 1 ? (only ?? '') : JSON.stringify(parts) }
}

function dimensionText(value: unknown): string {
  if (typeof value === 'string') return value
  return isScalar(value) ? String(value) : ''
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
