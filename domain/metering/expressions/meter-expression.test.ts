import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatQuantity } from '../../decimal.ts'
import type { MeterDefinition } from '../meter.ts'
import { readMeterValue } from '../metering.ts'
import { toNano } from '../quantity.ts'
import { compileExpression, type ExpressionValue } from './expression-value.ts'
import {
  EXPRESSION_CHARS_MAX,
  EXPRESSION_DEPTH_MAX,
  isSyntaxDefect,
  parseExpression,
  parsePath,
  parseTextExpression,
} from './meter-expression.ts'

describe('docs/meters.md means what it says', () => {
  const tables = tablesOf(readFileSync(new URL('../../../docs/meters.md', import.meta.url), 'utf8'))

  test('All of its tables are found', () => {
    expect(tables.counts.length).toBeGreaterThan(30)
    expect(tables.refused.length).toBeGreaterThan(10)
  })

  test.each(tables.counts)('$value of $data counts $counts', ({ value, data, counts }) => {
    const meter: MeterDefinition = { eventType: 't', aggregation: 'sum', value: [value], dimensions: {} }
    const reading = readMeterValue(meter, JSON.parse(data) as object)
    expect(isSyntaxDefect(parseExpression(value))).toBe(false)
    if (reading === null || 'unreadable' in reading) expect(reading?.unreadable).toBe(counts)
    else expect(formatQuantity(reading.value) + (reading.note?.isRounded ? ', rounded' : '')).toBe(counts)
  })

  test.each(tables.refused)('$value is refused at column $column', ({ value, column, why }) => {
    expect(parseExpression(value)).toMatchObject({ column: Number(column), problem: expect.stringContaining(why) })
  })
})

test.each([
  ['', 1],
  ['$', null],
  ['$.', 3],
  ['a.b.', 5],
  ['"a"', 1],
  ['[a]', 1],
  [`["a'b"].c`, null],
  [`['it\\'s']`, null],
  ['["a\\"b"]', null],
  ['größe + 数', null],
  ['a b', 3],
  ['max()', 5],
  ['max(a,)', 7],
  ['max', null],
  ['max + coalesce', null],
  ['a--b', null],
  ['- - a', null],
  ['a -b', null],
  ['a- b', null],
  ['n-1', 2],
  ['["n"]-1', null],
  ['a ** b', 4],
  ['a % b', 3],
  ['1e-6 * a', null],
  ['a;', 2],
  [`${'('.repeat(EXPRESSION_DEPTH_MAX)}a${')'.repeat(EXPRESSION_DEPTH_MAX)}`, null],
  [`${'('.repeat(EXPRESSION_DEPTH_MAX + 1)}a${')'.repeat(EXPRESSION_DEPTH_MAX + 1)}`, EXPRESSION_DEPTH_MAX + 2],
  ['-'.repeat(EXPRESSION_CHARS_MAX), EXPRESSION_DEPTH_MAX + 2],
  [`a${' + a'.repeat(249)}`, null],
  [`a${' + a'.repeat(250)}`, EXPRESSION_CHARS_MAX + 1],
])('%j parses, or is refused at the column', (text, column) => {
  const parsed = parseExpression(text)
  expect(isSyntaxDefect(parsed) ? parsed.column : null).toBe(column)
})

test('Names in paths and texts may have a minus in them; only coalesce is called there', () => {
  expect(parsePath('x-request-id.a-b')).toEqual({ wholeName: 'x-request-id.a-b', steps: ['x-request-id', 'a-b'] })
  expect(parsePath('$["a.b"]["c"]')).toEqual({ wholeName: null, steps: ['a.b', 'c'] })
  expect(parseTextExpression('coalesce(model, x["y"])')).toHaveLength(2)
  expect(parseTextExpression('max(model, x)')).toMatchObject({ column: 1 })
  expect(parsePath('a + b')).toMatchObject({ column: 3 })
})

type Fraction = { n: bigint; d: bigint }
type Value = Fraction | 'missing' | 'not_a_number'
/** An expression as text, beside its meaning: computed with fractions, without the parser or the evaluator. */
type Case = { text: string; value: (data: Readonly<Record<string, unknown>>) => Value }

const names = ['a', 'b', 'c', 'd'] as const
const decimalText = fc
  .tuple(fc.boolean(), fc.nat(999_999), fc.nat(6))
  .map(([isNegative, digits, places]) => `${isNegative ? '-' : ''}${shifted(digits, places)}`)
const constant = fc.tuple(fc.nat(99_999), fc.nat(5)).map(([digits, places]): Case => {
  const text = shifted(digits, places)
  return { text, value: () => fractionOf(text) }
})
const property = fc.constantFrom(...names).map((name): Case => ({ text: name, value: (data) => propertyOf(data[name]) }))
const { tree } = fc.letrec<{ tree: Case; leaf: Case; node: Case }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('node')),
  leaf: fc.oneof(constant, property, property),
  node: fc.oneof(
    fc
      .tuple(tie('tree'), tie('tree'))
      .map(([left, right]) => binary('+', left, right, (x, y) => ({ n: x.n * y.d + y.n * x.d, d: x.d * y.d }))),
    fc
      .tuple(tie('tree'), tie('tree'))
      .map(([left, right]) => binary('-', left, right, (x, y) => ({ n: x.n * y.d - y.n * x.d, d: x.d * y.d }))),
    fc.tuple(tie('leaf'), tie('leaf')).map(([left, right]) => binary('*', left, right, (x, y) => ({ n: x.n * y.n, d: x.d * y.d }))),
    tie('tree').map(
      ({ text, value }): Case => ({
        text: `-(${text})`,
        value: (data) => {
          const of = value(data)
          return typeof of === 'string' ? of : { n: -of.n, d: of.d }
        },
      }),
    ),
    fc.tuple(tie('tree'), tie('tree')).map(([left, right]): Case => {
      const { value } = binary('', left, right, (x, y) => (x.n * y.d >= y.n * x.d ? x : y))
      return { text: `max(${left.text}, ${right.text})`, value }
    }),
    fc.tuple(tie('tree'), tie('tree')).map(
      ([first, second]): Case => ({
        text: `coalesce(${first.text},${second.text})`,
        value: (data) => {
          const value = first.value(data)
          return value === 'missing' ? second.value(data) : value
        },
      }),
    ),
  ),
}))
const datum = fc.oneof(
  fc.nat(1_000_000),
  fc.integer(),
  decimalText,
  decimalText.map(Number),
  fc.constantFrom(null, undefined, 'x', true, 2 ** 53 - 1),
)
const data = fc.record({ a: datum, b: datum, c: datum, d: datum })

test('An expression comes to what fractions come to, rounded once', () => {
  fc.assert(
    fc.property(tree, data, ({ text, value }, of) => {
      fc.pre(text.length <= EXPRESSION_CHARS_MAX)
      const parsed = parseExpression(text)
      if (isSyntaxDefect(parsed)) {
        expect(parsed.problem).toMatch(/nested|no property/)
        return
      }
      expect(nanoOf(compileExpression(parsed)(of))).toEqual(roundedOnce(value(of)))
    }),
    { numRuns: 5_000 },
  )
})

function binary(operator: string, left: Case, right: Case, combine: (x: Fraction, y: Fraction) => Fraction): Case {
  return {
    text: `(${left.text} ${operator} ${right.text})`,
    value: (of) => {
      const x = left.value(of)
      const y = right.value(of)
      if (x === 'not_a_number' || y === 'not_a_number') return 'not_a_number'
      return typeof x === 'string' || typeof y === 'string' ? 'missing' : combine(x, y)
    },
  }
}

function propertyOf(value: unknown): Value {
  if (value === null || value === undefined) return 'missing'
  if (typeof value === 'number') return fractionOf(String(value))
  return typeof value === 'string' && value !== 'x' ? fractionOf(value) : 'not_a_number'
}

function fractionOf(text: string): Fraction {
  const [integer = '', fraction = ''] = text.split('.')
  return { n: BigInt(integer + fraction), d: 10n ** BigInt(fraction.length) }
}

function shifted(digits: number, places: number): string {
  const padded = String(digits).padStart(places + 1, '0')
  return places === 0 ? padded : `${padded.slice(0, -places)}.${padded.slice(-places)}`
}

function roundedOnce(value: Value): bigint | string {
  if (typeof value === 'string') return value
  const { n, d } = value
  const magnitude = ((n < 0n ? -n : n) * 2n * 10n ** 9n + d) / (2n * d)
  if (magnitude >= 10n ** 29n) return 'too_large'
  return n < 0n ? -magnitude : magnitude
}

function nanoOf(value: ExpressionValue): bigint | string {
  if (typeof value === 'string') return value
  return typeof value === 'object' ? value.nano : toNano(value)
}

/** Rows of the tables whose heads are "value | data | counts" and "value | column | why". */
function tablesOf(markdown: string) {
  const counts: { value: string; data: string; counts: string }[] = []
  const refused: { value: string; column: string; why: string }[] = []
  let head = ''
  for (const line of markdown.split('\n')) {
    const [, first = '', second = '', third = ''] = line.split('|').map((cell) => cell.trim())
    if (!line.startsWith('|')) head = ''
    else if (head === '') head = `${first} ${second} ${third}`
    else if (!first.startsWith('`')) continue
    else if (head === 'value data counts') counts.push({ value: first.slice(1, -1), data: second.slice(1, -1), counts: third })
    else if (head === 'value column why') refused.push({ value: first.slice(1, -1), column: second, why: third })
  }
  return { counts, refused }
}
