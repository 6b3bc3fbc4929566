import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { add, formatRational, rational, roundHalfUp, ZERO } from './rational.ts'

const rationals = fc
  .tuple(fc.bigInt(), fc.bigInt({ min: 1n, max: 10n ** 20n }))
  .map(([numerator, denominator]) => rational(numerator, denominator))

describe('roundHalfUp', () => {
  test.each<[numerator: bigint, denominator: bigint, digits: number, rounded: bigint]>([
    [5n, 1000n, 2, 1n],
    [-5n, 1000n, 2, -1n],
    [4999n, 1_000_000n, 2, 0n],
    [15n, 1000n, 2, 2n],
    [25n, 1000n, 2, 3n],
    [1n, 2n, 0, 1n],
    [-1n, 2n, 0, -1n],
    [1n, 3n, 0, 0n],
    [2n, 3n, 0, 1n],
    [1n, 3n, 30, 333_333_333_333_333_333_333_333_333_333n],
    [0n, 7n, 2, 0n],
  ])('%s/%s to %s digits is %s', (numerator, denominator, digits, rounded) => {
    expect(roundHalfUp(rational(numerator, denominator), digits)).toBe(rounded)
  })

  test('is off by half a unit at most, and mirrors at zero', () => {
    fc.assert(
      fc.property(rationals, fc.integer({ min: 0, max: 12 }), (value, digits) => {
        const rounded = roundHalfUp(value, digits)
        const off = 2n * (value.numerator * 10n ** BigInt(digits) - rounded * value.denominator)
        expect(off <= value.denominator && off >= -value.denominator).toBe(true)
        expect(roundHalfUp(rational(-value.numerator, value.denominator), digits)).toBe(-rounded)
      }),
    )
  })
})

describe('formatRational', () => {
  test.each<[numerator: bigint, denominator: bigint, text: string]>([
    [0n, 5n, '0'],
    [10n, 4n, '2.5'],
    [-1n, 8n, '-0.125'],
    [1n, 2n ** 40n, (10n ** 40n / 2n ** 40n).toString().padStart(40, '0').replace(/^/, '0.')],
    [1n, 3n, `0.${'3'.repeat(30)}`],
    [-2n, 3n, `-0.${'6'.repeat(29)}7`],
    [1n, 7n, '0.142857142857142857142857142857'],
    [3n, 6n, '0.5'],
  ])('%s/%s is %s', (numerator, denominator, text) => {
    expect(formatRational(rational(numerator, denominator))).toBe(text)
  })
})

test('addition is exact and does not depend on order', () => {
  fc.assert(
    fc.property(fc.array(rationals, { maxLength: 8 }), (values) => {
      const sum = values.reduce(add, ZERO)
      expect([...values].reverse().reduce(add, ZERO)).toEqual(sum)
      const back = values.map(({ numerator, denominator }) => rational(-numerator, denominator)).reduce(add, sum)
      expect(back).toEqual(ZERO)
    }),
  )
})

test('a fraction is kept in lowest terms', () => {
  expect(rational(6n, 4n)).toEqual({ numerator: 3n, denominator: 2n })
  expect(rational(0n, 4n)).toEqual(ZERO)
  expect(() => rational(1n, 0n)).toThrow('invariant')
})
