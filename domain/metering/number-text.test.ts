import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FRACTION_DIGITS_READ_MAX, readNumber, roundToNano } from './number-text.ts'

/** A JSON number in any of its notations, beside the fraction that it denotes. */
const numberText = fc
  .record({
    isNegative: fc.boolean(),
    integer: fc.bigInt({ min: 0n, max: 10n ** 12n }),
    fraction: fc.option(fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 25 })),
    exponent: fc.option(fc.record({ letter: fc.constantFrom('e', 'E'), sign: fc.constantFrom('', '+', '-'), power: fc.nat(40) })),
  })
  .map(({ isNegative, integer, fraction, exponent }) => {
    const text = `${isNegative ? '-' : ''}${integer}${fraction === null ? '' : `.${fraction}`}`
    return exponent === null ? text : `${text}${exponent.letter}${exponent.sign}${exponent.power}`
  })

test('A number in any notation is read as the schoolbook reads it: digit by digit, then the exponent', () => {
  fc.assert(
    fc.property(numberText, (text) => {
      const { numerator, denominator } = schoolbook(text)
      const read = readNumber(text)
      const isTooLarge = (numerator < 0n ? -numerator : numerator) >= 10n ** 20n * denominator
      if (typeof read === 'string') {
        expect(read).toBe('too_large')
        expect(isTooLarge).toBe(true)
        return
      }
      expect(isTooLarge).toBe(false)
      expect(read.scaled * denominator).toBe(numerator * 10n ** BigInt(read.digits))
      const rounded = roundToNano(read)
      if (typeof rounded === 'string') return
      // The nearest, and of two equally near ones the one further from zero.
      const doubleDistance = 2n * (rounded.nano * denominator - numerator * 10n ** 9n)
      const magnitude = doubleDistance < 0n ? -doubleDistance : doubleDistance
      expect(magnitude <= denominator).toBe(true)
      if (magnitude === denominator) expect(doubleDistance > 0n).toBe(numerator > 0n)
      expect(rounded.isRounded).toBe(doubleDistance !== 0n)
    }),
    { numRuns: 2_000 },
  )
})

test('A double is its shortest decimal, and its text means the same', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) expect(readNumber(value)).toBe('not_exact')
      else expect(Object.is(value, -0) ? 0 : readNumber(value)).toEqual(Object.is(value, -0) ? 0 : readNumber(String(value)))
    }),
  )
})

test('Digits beyond those that are read still decide the rounding, and long texts cost little', () => {
  const tail = '0'.repeat(FRACTION_DIGITS_READ_MAX + 5)
  expect(rounded(`0.0000000005`)).toEqual({ nano: 1n, isRounded: true })
  expect(rounded(`1.${tail}1`)).toEqual({ nano: 10n ** 9n, isRounded: true })
  expect(rounded(`1.${tail}`)).toEqual({ nano: 10n ** 9n, isRounded: false })
  expect(rounded(`1e-${'9'.repeat(60_000)}`)).toEqual({ nano: 0n, isRounded: true })
  expect(readNumber(`1e${'9'.repeat(60_000)}`)).toBe('too_large')
  expect(readNumber('9'.repeat(60_000))).toBe('too_large')
  expect(readNumber(`${'0'.repeat(60_000)}7`)).toEqual({ scaled: 7n, digits: 0 })
})

test.each(['', '-', '.', '5.', '.5', '+5', '1e', '1e+', '0x10', '1_000', '1,5', ' 1', '1 ', 'NaN', 'Infinity', '١'])(
  '%j is no number',
  (text) => {
    expect(readNumber(text)).toBe('not_a_number')
  },
)

function rounded(text: string) {
  const read = readNumber(text)
  return typeof read === 'string' ? read : roundToNano(read)
}

function schoolbook(text: string): { numerator: bigint; denominator: bigint } {
  let numerator = 0n
  let denominator = 1n
  let isFraction = false
  let rest = text.startsWith('-') ? text.slice(1) : text
  const [mantissa = '', exponent = '0'] = rest.toLowerCase().split('e')
  rest = mantissa
  for (const character of rest) {
    if (character === '.') isFraction = true
    else {
      numerator = numerator * 10n + BigInt(character)
      if (isFraction) denominator *= 10n
    }
  }
  const power = Number(exponent)
  if (power > 0) numerator *= 10n ** BigInt(power)
  else denominator *= 10n ** BigInt(-power)
  return { numerator: text.startsWith('-') ? -numerator : numerator, denominator }
}
