import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDecimal, formatQuantity, NANO, parseDecimal, parseQuantity } from './decimal.ts'

const QUANTITY_LIMIT_NANO = 10n ** 20n * NANO
const quantities = fc.bigInt({ min: -QUANTITY_LIMIT_NANO + 1n, max: QUANTITY_LIMIT_NANO - 1n })

describe('parseQuantity', () => {
  test.each<[string | number, bigint]>([
    ['0', 0n],
    ['-0', 0n],
    ['-0.000', 0n],
    ['1', NANO],
    ['-1', -NANO],
    ['007.50', 7_500_000_000n],
    ['0.000000001', 1n],
    ['-0.000000001', -1n],
    ['99999999999999999999.999999999', QUANTITY_LIMIT_NANO - 1n],
    ['123456789012345', 123_456_789_012_345n * NANO],
    ['1234567890123456', 1_234_567_890_123_456n * NANO],
    [0, 0n],
    [-0, 0n],
    [42, 42n * NANO],
    [-42, -42n * NANO],
    [Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER) * NANO],
    [0.1, 100_000_000n],
    [-12.5, -12_500_000_000n],
    [1e-7, 100n],
    [1.5e-7, 150n],
    [-2.5e-8, -25n],
    [1e-9, 1n],
  ])('%s is %s nano units', (input, nano) => {
    expect(parseQuantity(input)).toBe(nano)
  })

  test.each<[string | number, string]>([
    ['', 'empty'],
    [' 1', 'whitespace'],
    ['1 ', 'whitespace'],
    ['1\n', 'a line end'],
    ['+1', 'a plus'],
    ['--1', 'two signs'],
    ['-', 'a bare sign'],
    ['.5', 'a bare point'],
    ['5.', 'a bare point'],
    ['1.2.3', 'two points'],
    ['1e3', 'exponent notation'],
    ['0x10', 'hexadecimal'],
    ['1_000', 'separators'],
    ['1,000', 'separators'],
    ['١', 'digits that are not ASCII'],
    ['NaN', 'not a number'],
    ['Infinity', 'infinite'],
    ['0.0000000001', 'ten fractional digits'],
    ['1.0000000000', 'ten fractional digits, though zeros'],
    ['100000000000000000000', '10^20'],
    ['-100000000000000000000', '-10^20'],
    [Number.NaN, 'not a number'],
    [Number.POSITIVE_INFINITY, 'infinite'],
    [Number.NEGATIVE_INFINITY, 'infinite'],
    [2 ** 53, 'a number past the safe integers'],
    [-(2 ** 53), 'a number past the safe integers'],
    [1e21, 'a number past the safe integers'],
    [Number.MAX_VALUE, 'a number past the safe integers'],
    [0.1 + 0.2, '17 fractional digits'],
    [1e-10, 'below a nano unit'],
    [Number.MIN_VALUE, 'below a nano unit'],
  ])('%j is no quantity: %s', (input) => {
    expect(parseQuantity(input)).toBeNull()
  })

  test('reads back whatever was printed', () => {
    fc.assert(fc.property(quantities, (nano) => parseQuantity(formatQuantity(nano)) === nano))
  })

  test('reads every safe integer the same as number and as string', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        (value) => parseQuantity(value) === BigInt(value) * NANO && parseQuantity(String(value)) === BigInt(value) * NANO,
      ),
    )
  })

  test('reads a float as its shortest decimal: thousandths as JSON writes them stay thousandths', () => {
    fc.assert(fc.property(fc.integer(), (thousandths) => parseQuantity(thousandths / 1000) === BigInt(thousandths) * 1_000_000n))
  })

  test('takes no string that is not a plain decimal', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123456789.-+eE _,x'), maxLength: 12 }), (text) => {
        expect(parseQuantity(text) !== null).toBe(/^-?[0-9]+(\.[0-9]{1,9})?$/.test(text))
      }),
    )
  })
})

describe('formatQuantity', () => {
  test.each<[bigint, string]>([
    [0n, '0'],
    [1n, '0.000000001'],
    [-1n, '-0.000000001'],
    [NANO, '1'],
    [-NANO, '-1'],
    [10n * NANO, '10'],
    [12_500_000_000n, '12.5'],
    [-100_000_000n, '-0.1'],
    [QUANTITY_LIMIT_NANO - 1n, '99999999999999999999.999999999'],
  ])('%s nano units print as %s', (nano, text) => {
    expect(formatQuantity(nano)).toBe(text)
  })

  test('prints the shortest form', () => {
    fc.assert(fc.property(quantities, (nano) => /^(0|-?(0|[1-9]\d*)\.\d*[1-9]|-?[1-9]\d*)$/.test(formatQuantity(nano))))
  })
})

describe('parseDecimal', () => {
  test.each<{ input: string | number; integerDigitsMax: number; fractionDigitsMax: number; scaled: bigint | null }>([
    { input: '0.000000000001', integerDigitsMax: 15, fractionDigitsMax: 12, scaled: 1n },
    { input: 2.5e-12, integerDigitsMax: 15, fractionDigitsMax: 13, scaled: 25n },
    { input: '1000', integerDigitsMax: 3, fractionDigitsMax: 2, scaled: null },
    { input: 1000, integerDigitsMax: 3, fractionDigitsMax: 2, scaled: null },
    { input: 999, integerDigitsMax: 3, fractionDigitsMax: 0, scaled: 999n },
    { input: '9.5', integerDigitsMax: 3, fractionDigitsMax: 0, scaled: null },
  ])('$input with at most $integerDigitsMax and $fractionDigitsMax digits is $scaled', (row) => {
    expect(parseDecimal(row.input, row.integerDigitsMax, row.fractionDigitsMax)).toBe(row.scaled)
  })

  test('reads back whatever was printed, at any scale', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 30 }), (scaled, digits) => {
        expect(parseDecimal(formatDecimal(scaled, digits), 31, digits)).toBe(scaled)
      }),
    )
  })
})
