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
    { data: { tokens: '12' }, value: 12n * UNIT },
    { data: { tokens: 9_007_199_254_740_991 }, value: 9_007_199_254_740_991n * UNIT },
    // Text that is a JSON number counts as that number.
    { data: { tokens: '1e-5' }, value: 10_000n },
    { data: { tokens: '1.5E+3' }, value: 1_500n * UNIT },
    { data: { tokens: 1e-7 }, value: 100n },
    { data: { tokens: '0e99999' }, value: 0n },
    { data: { tokens: 'many' }, unreadable: 'not_a_number' },
    { data: { tokens: '+5' }, unreadable: 'not_a_number' },
    { data: { tokens: ' 5' }, unreadable: 'not_a_number' },
    { data: { tokens: '.5' }, unreadable: 'not_a_number' },
    { data: { tokens: '' }, unreadable: 'not_a_number' },
    { data: { tokens: true }, unreadable: 'not_a_number' },
    { data: { tokens: {} }, unreadable: 'not_a_number' },
    { data: { tokens: null }, unreadable: 'missing' },
    { data: {}, unreadable: 'missing' },
    { data: { tokens: 9_007_199_254_740_992 }, unreadable: 'not_exact' },
    { data: { tokens: '100000000000000000000' }, unreadable: 'too_large' },
    { data: { tokens: '1e400' }, unreadable: 'too_large' },
    { data: { tokens: '99999999999999999999.9999999995' }, unreadable: 'too_large' },
    { data: { tokens: -2 }, unreadable: 'negative' },
    { data: { tokens: '-0.000000001' }, unreadable: 'negative' },
  ])('$data', ({ data, value, unreadable }) => {
    expect(readMeterValue(meter(), data)).toEqual(unreadable === undefined ? { value, text: null } : { unreadable })
  })

  test.each([
    { tokens: 0.1 + 0.2, counted: 300_000_000n },
    { tokens: 12.345678901234, counted: 12_345_678_901n },
    { tokens: '0.0000000005', counted: 1n },
    { tokens: '0.00000000049999', counted: 0n },
    { tokens: '1e-500', counted: 0n },
  ])('More than 9 digits are rounded and said so, or refused where the meter says so: $tokens', ({ tokens, counted }) => {
    expect(readMeterValue(meter(), { tokens })).toEqual({
      value: counted,
      text: null,
      note: { quantity: counted, isRounded: true },
    })
    expect(readMeterValue(meter({ onInexact: 'refuse' }), { tokens })).toEqual({ unreadable: 'not_exact' })
  })

  test('Below zero counts where the meter allows it, halves away from zero', () => {
    const allowing = meter({ allowNegative: true })
    expect(readMeterValue(allowing, { tokens: -2 })).toEqual({ value: -2n * UNIT, text: null })
    expect(readMeterValue(allowing, { tokens: '-0.0000000005' })).toMatchObject({ value: -1n })
    expect(readMeterValue(meter(), { tokens: -1e-12 })).toMatchObject({ value: 0n, note: { isRounded: true } })
  })

  test.each([
    { data: { input: 5, output: 'abc' }, unreadable: 'not_a_number' },
    { data: { input: 5, output: -5 }, unreadable: 'negative' },
    { data: { output: '1e30' }, unreadable: 'too_large' },
    { data: {}, unreadable: 'missing' },
  ])('Of several values one that cannot be read is said, and no part of them is taken for all: $data', ({ data, unreadable }) => {
    expect(readMeterValue(meter({ value: ['input', 'output'] }), data)).toEqual({ unreadable })
  })

  test.each([
    { paths: ['usage.tokens'], data: { usage: { tokens: 1 } }, value: 1n },
    { paths: ['usage.tokens'], data: { 'usage.tokens': 2, usage: { tokens: 1 } }, value: 2n },
    { paths: ['input', 'output'], data: { input: 1, output: '2' }, value: 3n },
    { paths: ['input', 'output'], data: { input: 1 }, value: 1n },
    { paths: ['input', 'output'], data: { input: Number.MAX_SAFE_INTEGER, output: 2 }, value: 9_007_199_254_740_993n },
    { paths: ['choices.0.tokens'], data: { choices: [{ tokens: 4 }] }, value: 4n },
    { paths: ['constructor.length'], data: {}, value: null },
    { paths: ['__proto__'], data: JSON.parse('{"__proto__": 4}') as object, value: 4n },
    // Stored before there were expressions, and no expression: still the property of that name.
    { paths: ['input-tokens'], data: { 'input-tokens': 6 }, value: 6n },
    { paths: ['input tokens'], data: { 'input tokens': 7 }, value: 7n },
  ])('$paths in $data', ({ paths, data, value }) => {
    const expected = value === null ? { unreadable: 'missing' } : { value: value * UNIT, text: null }
    expect(readMeterValue(meter({ value: paths }), data)).toEqual(expected)
  })

  test('For unique it is the text of any scalar, for count nothing is read', () => {
    const unique = meter({ aggregation: 'unique', value: ['coalesce(user, attributes["enduser.id"])'] })
    expect(readMeterValue(unique, { user: 7 })).toEqual({ value: 0n, text: '7' })
    expect(readMeterValue(unique, { attributes: { 'enduser.id': 'u' } })).toEqual({ value: 0n, text: 'u' })
    expect(readMeterValue(unique, { user: ['a'] })).toEqual({ unreadable: 'missing' })
    expect(readMeterValue(meter({ aggregation: 'count', value: [] }), {})).toEqual({ value: UNIT, text: null })
  })
})

describe('Which events a meter selects', () => {
  test.each([
    { where: { status: { equals: 'ok' } }, data: { status: 'ok' }, selected: true },
    { where: { status: { equals: 'ok' } }, data: { status: 'OK' }, selected: false },
    { where: { status: { equals: 200 } }, data: { status: '200' }, selected: true },
    { where: { cached: { equals: true } }, data: { cached: true }, selected: true },
    { where: { status: { equals: 'null' } }, data: { status: null }, selected: false },
    { where: { model: { in: ['a', 'b'] } }, data: { model: 'b' }, selected: true },
    { where: { model: { in: ['a', 'b'] } }, data: {}, selected: false },
    { where: { error: { exists: false } }, data: {}, selected: true },
    { where: { error: { exists: false } }, data: { error: null }, selected: true },
    { where: { error: { exists: false } }, data: { error: {} }, selected: false },
    { where: { error: { exists: true } }, data: { error: {} }, selected: true },
    { where: { 'attributes["http.status"]': { equals: 200 } }, data: { attributes: { 'http.status': 200 } }, selected: true },
    { where: { model: { equals: 'a' }, 'x-tier': { equals: 'pro' } }, data: { model: 'a', 'x-tier': 'pro' }, selected: true },
    { where: { model: { equals: 'a' }, 'x-tier': { equals: 'pro' } }, data: { model: 'a', 'x-tier': 'free' }, selected: false },
  ])('$where in $data', ({ where, data, selected }) => {
    const counting = meter({ aggregation: 'count', value: [], where })
    expect(readMeterValue(counting, data)).toEqual(selected ? { value: UNIT, text: null } : null)
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
