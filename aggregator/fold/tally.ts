import { unreachable } from '../../base/invariant.ts'
import type { InstantMs, Offset } from '../../domain/identity.ts'
import type { Reading } from '../../domain/metering/expressions/compiled-meter.ts'
import type { Aggregation } from '../../domain/metering/meter.ts'
import { type Aggregate, aggregateOf, aggregateValue } from '../../domain/metering/metering.ts'
import { addQuantities, fromNano, isLess, type Quantity, toNano } from '../../domain/metering/quantity.ts'

/**
 * Aggregates under construction, side by side in one array of numbers: most events touch only these few numbers and leave no
 * garbage. A quantity that no number holds exactly is kept in `exact`.
 */
export type Tallies = {
  numbers: Float64Array
  /** The first free place. */
  used: number
  /** By place: quantities that are no safe integer. */
  readonly exact: Map<number, bigint>
  readonly unique: Map<number, Set<string>>
  /** About how much memory the texts of `unique` take. */
  uniqueBytes: number
}

export function createTallies(): Tallies {
  return { numbers: new Float64Array(NUMBERS_MIN), used: 0, exact: new Map(), unique: new Map(), uniqueBytes: 0 }
}

/**
 * Numbers that the tally of an aggregation takes: the number of events; the sum, least, greatest or latest quantity; time and
 * place of the latest.
 */
export function tallyNumbers(aggregation: Aggregation): number {
  return aggregation === 'latest' ? 5 : 2
}

/** Reserves `count` numbers, all 0, and returns the first place. */
export function allot(tallies: Tallies, count: number): number {
  const place = tallies.used
  tallies.used += count
  if (tallies.used > tallies.numbers.length) {
    const grown = new Float64Array(Math.max(tallies.numbers.length * 2, tallies.used))
    grown.set(tallies.numbers)
    tallies.numbers = grown
  }
  return place
}

/** Forgets all. */
export function clearTallies(tallies: Tallies): void {
  tallies.numbers.fill(0, 0, tallies.used)
  tallies.used = 0
  tallies.exact.clear()
  tallies.unique.clear()
  tallies.uniqueBytes = 0
}

/** Gives unused memory back. */
export function shrinkTallies(tallies: Tallies): void {
  if (tallies.used <= NUMBERS_MIN && tallies.numbers.length > NUMBERS_MIN) tallies.numbers = tallies.numbers.slice(0, NUMBERS_MIN)
}

/** Bytes of the array, and about how many the values beside it take. */
export function tallyBytes({ numbers, exact, unique, uniqueBytes }: Tallies): number {
  return numbers.byteLength + exact.size * EXACT_BYTES + unique.size * SET_BYTES + uniqueBytes
}

export function addToTally(
  tallies: Tallies,
  place: number,
  aggregation: Aggregation,
  reading: Reading,
  atMs: InstantMs,
  offset: Offset,
  index: number,
): void {
  const { numbers } = tallies
  const events = (numbers[place] ?? 0) + 1
  numbers[place] = events
  if (typeof reading === 'object') {
    addText(tallies, place, reading.text)
    return
  }
  switch (aggregation) {
    case 'sum':
    case 'count':
    case 'avg':
      setQuantity(tallies, place, addQuantities(quantityAt(tallies, place), reading))
      return
    case 'min':
      if (events === 1 || isLess(reading, quantityAt(tallies, place))) setQuantity(tallies, place, reading)
      return
    case 'max':
      if (events === 1 || isLess(quantityAt(tallies, place), reading)) setQuantity(tallies, place, reading)
      return
    case 'latest':
      if (events === 1 || isLatest(numbers, place, atMs, offset, index)) {
        setQuantity(tallies, place, reading)
        numbers[place + 2] = atMs
        numbers[place + 3] = offset
        numbers[place + 4] = index
      }
      return
    case 'unique':
      return
    default:
      unreachable(aggregation)
  }
}

/** Sets the tally as if all events of the aggregate had been added. The place must be empty. */
export function putInTally(tallies: Tallies, place: number, aggregation: Aggregation, aggregate: Aggregate): void {
  const { numbers } = tallies
  const { latest } = aggregate
  numbers[place] = aggregate.events
  const nano = aggregateValue(aggregation === 'avg' ? 'sum' : aggregation, aggregate)
  if (aggregation !== 'unique' && nano !== null) setQuantity(tallies, place, fromNano(nano))
  if (latest !== null) {
    numbers[place + 2] = latest.occurredAtMs
    numbers[place + 3] = latest.offset
    numbers[place + 4] = latest.index
  }
  for (const text of aggregate.unique) addText(tallies, place, text)
}

export function eventsAt({ numbers }: Tallies, place: number): number {
  return numbers[place] ?? 0
}

export function aggregateAt(tallies: Tallies, place: number, aggregation: Aggregation): Aggregate {
  const { numbers, unique } = tallies
  const isLatestKept = aggregation === 'latest'
  return aggregateOf(aggregation, {
    events: numbers[place] ?? 0,
    value: toNano(quantityAt(tallies, place)),
    occurredAtMs: (isLatestKept ? (numbers[place + 2] ?? 0) : 0) as InstantMs,
    offset: (isLatestKept ? (numbers[place + 3] ?? 0) : 0) as Offset,
    index: isLatestKept ? (numbers[place + 4] ?? 0) : 0,
    unique: aggregation === 'unique' ? [...(unique.get(place) ?? [])] : [],
  })
}

const NUMBERS_MIN = 1024

/** NaN means that the quantity is in `exact`. */
function quantityAt({ numbers, exact }: Tallies, place: number): Quantity {
  const number = numbers[place + 1] ?? 0
  return Number.isNaN(number) ? (exact.get(place) ?? 0n) : number
}

function setQuantity({ numbers, exact }: Tallies, place: number, quantity: Quantity): void {
  if (typeof quantity === 'number') {
    numbers[place + 1] = quantity
    return
  }
  numbers[place + 1] = Number.NaN
  exact.set(place, quantity)
}

function addText(tallies: Tallies, place: number, text: string): void {
  const { unique } = tallies
  const texts = unique.get(place) ?? new Set()
  if (texts.has(text)) return
  if (texts.size === 0) unique.set(place, texts)
  texts.add(text)
  tallies.uniqueBytes += TEXT_BYTES + 2 * text.length
}

/** Heap bytes, measured: a big integer in a map, an empty set, and a set's text besides its characters. */
const EXACT_BYTES = 100
const SET_BYTES = 250
const TEXT_BYTES = 60

/** By event time, then by place in the log, as `isLater`; without an object per event. */
function isLatest(numbers: Float64Array, place: number, atMs: InstantMs, offset: Offset, index: number): boolean {
  const latestAtMs = numbers[place + 2] ?? 0
  if (atMs !== latestAtMs) return atMs > latestAtMs
  const latestOffset = numbers[place + 3] ?? 0
  return offset !== latestOffset ? offset > latestOffset : index > (numbers[place + 4] ?? 0)
}
