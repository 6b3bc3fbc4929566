import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAmount, formatMoney, minorUnitDigits, parseAmount } from './money.ts'

describe('minorUnitDigits', () => {
  test.each([
    ['USD', 2],
    ['EUR', 2],
    ['JPY', 0],
    ['KRW', 0],
    ['KWD', 3],
    ['BHD', 3],
    ['CLF', 4],
    // Shown without fractional digits by most software, but invoiced with two.
    ['HUF', 2],
    ['IDR', 2],
    ['PKR', 2],
    ['IQD', 3],
  ])('of %s is %i', (currency, digits) => {
    expect(minorUnitDigits(currency)).toBe(digits)
  })

  test.each(['', 'usd', 'XXX', 'XAU', 'DOLLAR', 'constructor', ' USD', 'USD '])('refuses %j', (currency) => {
    expect(minorUnitDigits(currency)).toMatchObject({ kind: 'refusal', code: 'unknown_currency' })
  })
})

describe('formatMoney', () => {
  test.each<[bigint, number, string]>([
    [0n, 2, '0.00'],
    [1n, 2, '0.01'],
    [-1n, 2, '-0.01'],
    [90n, 2, '0.90'],
    [1250n, 2, '12.50'],
    [-1250n, 2, '-12.50'],
    [1250n, 0, '1250'],
    [0n, 0, '0'],
    [1250n, 3, '1.250'],
  ])('%s minor units at %i digits is %s', (minorUnits, fractionDigits, text) => {
    expect(formatMoney(minorUnits, fractionDigits)).toBe(text)
  })
})

describe('parseAmount', () => {
  test.each<[string | number, bigint | null]>([
    ['0.000000000001', 1n],
    ['0.0000000000001', null],
    ['999999999999999.999999999999', 10n ** 27n - 1n],
    ['1000000000000000', null],
    [999_999_999_999_999, 999_999_999_999_999n * 10n ** 12n],
    [1e15, null],
    [2.5, 2_500_000_000_000n],
    ['-2.5', -2_500_000_000_000n],
  ])('%s is %s', (input, pico) => {
    expect(parseAmount(input)).toBe(pico)
  })

  test('reads back whatever was printed', () => {
    fc.assert(fc.property(fc.bigInt({ min: -(10n ** 27n) + 1n, max: 10n ** 27n - 1n }), (pico) => parseAmount(formatAmount(pico)) === pico))
  })
})
