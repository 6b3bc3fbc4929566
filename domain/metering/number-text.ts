import { powerOfTen, QUANTITY_FRACTION_DIGITS_MAX, QUANTITY_INTEGER_DIGITS_MAX } from '../decimal.ts'

/** An exact decimal: `scaled` is its value times 10^`digits`. */
export type ExactNumber = { readonly scaled: bigint; readonly digits: number }

/** Why a value that is present cannot be read as a quantity. */
export type NumberDefect = 'not_a_number' | 'not_exact' | 'too_large'

/** More fractional digits than any double has. Digits beyond still decide whether and which way the value is rounded. */
export const FRACTION_DIGITS_READ_MAX = 340

/**
 * A JSON number, or text of one (RFC 8259, with exponents; leading zeros are allowed), as an exact decimal. A number stands for
 * its shortest decimal. An integer beyond 2^53-1 is `not_exact`: it lost digits before it came here, which text would have kept.
 * `too_large` from 10^20 on. Time and memory are linear in the text.
 */
export function readNumber(input: number | string): ExactNumber | NumberDefect {
  if (typeof input === 'number') {
    if (Number.isSafeInteger(input)) return { scaled: BigInt(input), digits: 0 }
    if (!Number.isFinite(input)) return 'not_a_number'
    if (Number.isInteger(input)) return 'not_exact'
    input = String(input)
  }
  const match = JSON_NUMBER.exec(input)
  if (match === null) return 'not_a_number'
  const [, sign = '', integer = '', fraction = '', exponent = '0'] = match
  const written = integer + fraction
  const zeros = leadingZeros(written)
  if (zeros === written.length) return ZERO
  const significant = written.slice(zeros)
  /** How many of the significant digits stand before the point; negative when zeros follow it. */
  const point = integer.length - zeros + Number(exponent)
  if (point > QUANTITY_INTEGER_DIGITS_MAX) return 'too_large'
  const magnitude = decimalOf(significant, point)
  return sign === '-' ? { scaled: -magnitude.scaled, digits: magnitude.digits } : magnitude
}

export type RoundedQuantity = { readonly nano: bigint; readonly isRounded: boolean }

/** Nano units; halves of one go away from zero. `too_large` from 10^20 units on. */
export function roundToNano({ scaled, digits }: ExactNumber): RoundedQuantity | 'too_large' {
  const surplus = digits - QUANTITY_FRACTION_DIGITS_MAX
  if (surplus <= 0) return withinBound(scaled * powerOfTen(-surplus), false)
  const divisor = powerOfTen(surplus)
  const rest = scaled % divisor
  if (rest === 0n) return withinBound(scaled / divisor, false)
  const half = divisor / 2n
  return withinBound((scaled < 0n ? scaled - half : scaled + half) / divisor, true)
}

const JSON_NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
const ZERO: ExactNumber = { scaled: 0n, digits: 0 }
/** In nano units. */
const BOUND = powerOfTen(QUANTITY_INTEGER_DIGITS_MAX + QUANTITY_FRACTION_DIGITS_MAX)

function withinBound(nano: bigint, isRounded: boolean): RoundedQuantity | 'too_large' {
  return nano < BOUND && nano > -BOUND ? { nano, isRounded } : 'too_large'
}

function leadingZeros(digits: string): number {
  let zeros = 0
  while (digits.charCodeAt(zeros) === ZERO_CODE) zeros++
  return zeros
}

/** Digits that were cut off and are not all zero leave a last digit that is none, so that they still count in a rounding. */
function decimalOf(significant: string, point: number): ExactNumber {
  const digits = significant.length - point
  if (digits <= 0) return { scaled: BigInt(significant) * powerOfTen(-digits), digits: 0 }
  if (digits <= FRACTION_DIGITS_READ_MAX) return { scaled: BigInt(significant), digits }
  const kept = Math.max(0, point + FRACTION_DIGITS_READ_MAX)
  const scaled = BigInt(significant.slice(0, kept) || '0')
  const isLastZero = scaled % 10n === 0n
  return { scaled: isLastZero && NOT_ZERO.test(significant.slice(kept)) ? scaled + 1n : scaled, digits: FRACTION_DIGITS_READ_MAX }
}

const ZERO_CODE = 48
const NOT_ZERO = /[1-9]/
