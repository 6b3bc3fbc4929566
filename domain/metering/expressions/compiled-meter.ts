import { compileSelection, pathOf } from '../event-selection.ts'
import type { Aggregation, MeterDefinition } from '../meter.ts'
import { addQuantities, type Quantity } from '../quantity.ts'
import { uniqueValue } from '../unique-value.ts'
import { compileExpression, type ExpressionValue } from './expression-value.ts'
import { type Expression, isSyntaxDefect, parseExpression, parseTextExpression } from './meter-expression.ts'
import { dottedPath, type PropertyPath, textAt } from './property-path.ts'

/**
 * Why a value is not counted; the event itself is kept. `missing`: a property is absent or null. `not_exact`: it has more digits
 * than are kept, and the meter says `onInexact: 'refuse'` or the number had lost some before it came here. `negative`: below
 * zero, without `allowNegative`.
 */
export const UNREADABLE_REASONS = ['missing', 'not_a_number', 'not_exact', 'too_large', 'negative'] as const
export type Unreadable = (typeof UNREADABLE_REASONS)[number]

/** What an event adds: a quantity, or the text to tell apart. */
export type Reading = Quantity | { readonly text: string }

/** A quantity that had more than 9 fractional digits, with halves rounded away from zero. */
export type NotedQuantity = { readonly quantity: Quantity; readonly isRounded: true }

export type CompiledReading = Reading | NotedQuantity | Unreadable | 'not_selected'

export function isNoted(reading: CompiledReading): reading is NotedQuantity {
  return typeof reading === 'object' && 'quantity' in reading
}

/** What an event adds to a meter. `value` is in nano units: 1 unit for `count`, 0n for `unique`, which has `text`, the value to tell apart. */
export type MeterReading =
  | { readonly value: bigint; readonly text: string | null; readonly note?: NotedQuantity }
  | { readonly unreadable: Unreadable }

/** A meter prepared for a stream of events: expressions are compiled once, dimension names sorted once. */
export type CompiledMeter = {
  readonly aggregation: Aggregation
  /** Ascending; `readDimensions` answers in this order. */
  readonly dimensionNames: readonly string[]
  /** False when an event counts without a look at its data. */
  readonly needsData: boolean
  read(data: object): CompiledReading
  /** Each of the meter's values by itself, in their order: to say which of them could not be read. Empty for count and unique. */
  readonly valueReaders: readonly ((data: object) => ExpressionValue | Unreadable)[]
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
  const { aggregation, where } = meter
  const dimensionNames = Object.keys(meter.dimensions).sort()
  const dimensionReaders = dimensionNames.map((name) => {
    const paths = parsedTextPaths(meter.dimensions[name] ?? name)
    return (data: object) => firstText(data, paths) ?? ''
  })
  const valueReaders = aggregation === 'count' || aggregation === 'unique' ? [] : meter.value.map((text) => valueReader(text, meter))
  const read = readerOf(meter, valueReaders)
  const selects = where === undefined ? null : compileSelection(where)
  return {
    aggregation,
    dimensionNames,
    needsData: aggregation !== 'count' || dimensionNames.length > 0 || selects !== null,
    read: selects === null ? read : (data) => (selects(data) ? read(data) : 'not_selected'),
    valueReaders,
    readDimensions: (data) => dimensionReaders.map((readText) => readText(data)),
    dimensionReaders,
    dimensionsOf: (values) => Object.fromEntries(dimensionNames.map((name, index) => [name, values[index] ?? ''])),
  }
}

function readerOf({ aggregation, value }: MeterDefinition, valueReaders: CompiledMeter['valueReaders']): (data: object) => CompiledReading {
  // A count adds up units, so that direct usage reports add to it too.
  if (aggregation === 'count') return () => 1
  if (aggregation === 'unique') {
    const parts = value.map(parsedTextPaths)
    return (data) => readText(data, parts)
  }
  const [only] = valueReaders
  if (valueReaders.length > 1 || only === undefined) return (data) => readSum(data, valueReaders)
  return (data) => {
    const quantity = only(data)
    return typeof quantity === 'object' ? { quantity: quantity.nano, isRounded: true } : quantity
  }
}

/** Reads one value of a meter by the meter's rules. */
function valueReader(text: string, { onInexact, allowNegative }: MeterDefinition): (data: object) => ExpressionValue | Unreadable {
  const evaluate = compileExpression(parsedValue(text))
  const isNegativeCounted = allowNegative === true
  return (data) => {
    const value = evaluate(data)
    if (typeof value === 'number') return value >= 0 || isNegativeCounted ? value : 'negative'
    if (typeof value === 'string') return value
    const isRounded = typeof value === 'object'
    if (isRounded && onInexact === 'refuse') return 'not_exact'
    return (isRounded ? value.nano : value) >= 0n || isNegativeCounted ? value : 'negative'
  }
}

/**
 * A missing value adds nothing, so that the whole is the sum of its parts; only an event without any of them has no value. A
 * value that is present and unreadable leaves the event uncounted, with a warning, as a part would look like the whole.
 */
function readSum(data: object, readers: CompiledMeter['valueReaders']): CompiledReading {
  let sum: Quantity | null = null
  let isRounded = false
  for (const read of readers) {
    const value = read(data)
    if (typeof value === 'string') {
      if (value !== 'missing') return value
      continue
    }
    if (typeof value === 'object') isRounded = true
    const quantity = typeof value === 'object' ? value.nano : value
    sum = sum === null ? quantity : addQuantities(sum, quantity)
  }
  if (sum === null) return 'missing'
  return isRounded ? { quantity: sum, isRounded } : sum
}

/** Several properties are one value of several parts. */
function readText(data: object, parts: readonly (readonly PropertyPath[])[]): CompiledReading {
  const texts = parts.map((paths) => firstText(data, paths))
  if (texts.every((text) => text === null)) return 'missing'
  const [only] = texts
  return { text: uniqueValue(texts.length === 1 ? (only ?? '') : JSON.stringify(texts)) }
}

function firstText(data: object, paths: readonly PropertyPath[]): string | null {
  for (const path of paths) {
    const text = textAt(data, path)
    if (text !== null) return text
  }
  return null
}

/** A text that is no expression by today's syntax is older than the syntax: every character is part of a name. */
export function parsedValue(text: string): Expression {
  const expression = parseExpression(text)
  return isSyntaxDefect(expression) ? { kind: 'property', path: dottedPath(text) } : expression
}

/** The same for values that are read as text. */
export function parsedTextPaths(text: string): readonly PropertyPath[] {
  const paths = parseTextExpression(text)
  return isSyntaxDefect(paths) ? [pathOf(text)] : paths
}
