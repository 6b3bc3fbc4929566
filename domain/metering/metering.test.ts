import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { InstantMs, Offset } from '../identity.ts'
import { AGGREGATIONS, type Aggregation, type MeterDefinition } from './meter.ts'
import {
  type Aggregate,
  addToAggregate,
  aggregateValue,
  counterStateOf,
  emptyAggregate,
  matchesFilter,
  mergeAggregates,
  readDimensions,
  readMeterValue,
} from './metering.ts'

const meter = (over: Partial<MeterDefinition> = {}): MeterDefinition => ({
  eventType: 'llm.request',
  aggregation: 'sum',
  value: ['tokens'],
  dimensions: {},
  ...over,
})
const UNIT = 1_000_000_000n

describe('The value of an event', () => {
  test.each([
    { data: { tokens: 3 }, value: 3n * UNIT },
    { data: { tokens: 0.1 }, value: UNIT / 10n },
    { data: { tokens: '12.000000001' }, value: 12n * UNIT + 1n },
    { data: { tokens: -2 }, value: -2n * UNIT },
    { data: { tokens: 9_007_199_254_740_991 }, value: 9_007_199_254_740_991n * UNIT },
    { data: { tokens: 9_007_199_254_740_992 }, unreadable: 'not_exact' },
    { data: { tokens: 0.1 + 0.2 }, unreadable: 'not_exact' },
    { data: { tokens: '0.0000000001' }, unreadable: 'not_exact' },
    { data: { tokens: '100000000000000000000' }, value: null, unreadable: 'not_exact' },
    { data: { tokens: 'many' }, unreadable: 'not_a_number' },
    { data: { tokens: true }, unreadable: 'not_a_number' },
    { data: { tokens: {} }, unreadable: 'not_a_number' },
    { data: { tokens: null }, unreadable: 'missing' },
    { data: {}, unreadable: 'missing' },
  ])('$data', ({ data, value, unreadable }) => {
    expect(readMeterValue(meter(), data)).toEqual(unreadable === undefined ? { value, text: null } : { unreadable })
  })

  test.each([
    { paths: ['usage.tokens'], data: { usage: { tokens: 1 } }, value: 1n },
    { paths: ['usage.tokens'], data: { 'usage.tokens': 2, usage: { tokens: 1 } }, value: 2n },
    { paths: ['input', 'output'], data: { input: 1, output: '2' }, value: 3n },
    { paths: ['input', 'output'], data: { input: 1 }, value: 1n },
    { paths: ['input', 'output'], data: { input: Number.MAX_SAFE_INTEGER, output: 2 }, value: 9_007_199_254_740_993n },
    { paths: ['constructor.length'], data: {}, value: null },
    { paths: ['__proto__'], data: JSON.parse('{"__proto__": 4}') as object, value: 4n },
  ])('$paths in $data', ({ paths, data, value }) => {
    const expected = value === null ? { unreadable: 'missing' } : { value: value * UNIT, text: null }
    expect(readMeterValue(meter({ value: paths }), data)).toEqual(expected)
  })

  test('For unique it is the text of any scalar, for count nothing is read', () => {
    const unique = meter({ aggregation: 'unique', value: ['user'] })
    expect(readMeterValue(unique, { user: 7 })).toEqual({ value: 0n, text: '7' })
    expect(readMeterValue(unique, { user: ['a'] })).toEqual({ unreadable: 'missing' })
    expect(readMeterValue(meter({ aggregation: 'count', value: [] }), {})).toEqual({ value: UNIT, text: null })
  })
})

test('Dimensions are text, empty where there is none, and names ascend', () => {
  const definition = meter({ dimensions: { region: 'place.region', model: 'model', tries: 'tries' } })
  const dimensions = readDimensions(definition, { model: 'a', place: { region: { deep: 1 } }, tries: 2 })
  expect(Object.entries(dimensions)).toEqual([
    ['model', 'a'],
    ['region', ''],
    ['tries', '2'],
  ])
  expect(matchesFilter({ model: ['b', 'a'], tries: ['2'] }, dimensions)).toBe(true)
  expect(matchesFilter({ model: ['b'] }, dimensions)).toBe(false)
  expect(matchesFilter({ color: [''] }, dimensions)).toBe(true)
  expect(matchesFilter({}, dimensions)).toBe(true)
  expect(matchesFilter({ constructor: [''] }, dimensions)).toBe(true)
})

type Moment = { value: bigint; text: string; atMs: number; offset: number }
const moments = fc.uniqueArray(
  fc.record({
    value: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    text: fc.constantFrom('a', 'b', 'c'),
    atMs: fc.integer({ min: 0, max: 3 }),
    offset: fc.integer({ min: 0, max: 1000 }),
  }),
  { selector: ({ offset }) => offset, maxLength: 12 },
)
const aggregated = (aggregation: Aggregation, events: readonly Moment[]): Aggregate =>
  events.reduce(
    (aggregate, { value, text, atMs, offset }) =>
      addToAggregate(
        aggregate,
        aggregation,
        { value: aggregation === 'count' ? UNIT : aggregation === 'unique' ? 0n : value, text: aggregation === 'unique' ? text : null },
        { occurredAtMs: atMs as InstantMs, offset: offset as Offset, index: 0 },
      ),
    emptyAggregate,
  )
const comparable = (aggregate: Aggregate) => ({ ...aggregate, unique: [...aggregate.unique].sort() })

test.each(AGGREGATIONS)('Parts of a %s merge into the whole, in any order', (aggregation) => {
  fc.assert(
    fc.property(moments, fc.nat(), (events, cut) => {
      const at = events.length === 0 ? 0 : cut % (events.length + 1)
      const [left, right] = [aggregated(aggregation, events.slice(0, at)), aggregated(aggregation, events.slice(at))]
      const whole = comparable(aggregated(aggregation, events))
      expect(comparable(mergeAggregates(left, right))).toEqual(whole)
      expect(comparable(mergeAggregates(right, left))).toEqual(whole)
    }),
  )
})

test('The answer of each aggregation over the same events', () => {
  const events = [
    { value: 2n * UNIT, text: 'a', atMs: 2, offset: 1 },
    { value: 5n * UNIT, text: 'b', atMs: 3, offset: 0 },
    { value: 3n * UNIT, text: 'a', atMs: 1, offset: 2 },
  ]
  const answers = Object.fromEntries(AGGREGATIONS.map((each) => [each, aggregateValue(each, aggregated(each, events))]))
  expect(answers).toEqual({
    sum: 10n * UNIT,
    count: 3n * UNIT,
    min: 2n * UNIT,
    max: 5n * UNIT,
    avg: 3_333_333_333n,
    latest: 5n * UNIT,
    unique: 2n * UNIT,
  })
  expect(aggregateValue('avg', { ...emptyAggregate, events: 3, sum: 2n })).toBe(1n)
  expect(AGGREGATIONS.map((each) => aggregateValue(each, emptyAggregate))).toEqual([0n, 0n, null, null, null, null, 0n])
  expect(counterStateOf('avg', aggregated('avg', events))).toEqual({ kind: 'average', sum: 10n * UNIT, events: 3 })
  expect(counterStateOf('sum', emptyAggregate)).toBeNull()
})
