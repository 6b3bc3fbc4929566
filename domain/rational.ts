import { invariant } from '../base/invariant.ts'
import { formatDecimal, powerOfTen } from './decimal.ts'

/** An exact fraction in lowest terms; `denominator` is positive. */
export type Rational = { readonly numerator: bigint; readonly denominator: bigint }

export function rational(numerator: bigint, denominator: bigint): Rational {
  invariant(denominator > 0n, `a denominator is positive, this one is ${denominator}`)
  const divisor = greatestCommonDivisor(numerator < 0n ? -numerator : numerator, denominator)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n }

export function add(left: Rational, right: Rational): Rational {
  return rational(left.numerator * right.denominator + right.numerator * left.denominator, left.denominator * right.denominator)
}

/** The value times 10^fractionDigits as a whole number; halves go away from zero: 0.005 to two digits is 1, -0.005 is -1. */
export function roundHalfUp(value: Rational, fractionDigits: number): bigint {
  const magnitude = (value.numerator < 0n ? -value.numerator : value.numerator) * powerOfTen(fractionDigits)
  const rounded = (2n * magnitude + value.denominator) / (2n * value.denominator)
  return value.numerator < 0n ? -rounded : rounded
}

/**
 * Plain decimal notation. Exact when the decimal ends, with as many digits as that takes; a decimal that never ends
 * (2 / 3) is cut to 30 fractional digits, rounded half up.
 */
export function formatRational(value: Rational): string {
  const digits = endingFractionDigits(value.denominator) ?? ENDLESS_FRACTION_DIGITS
  return formatDecimal(roundHalfUp(value, digits), digits)
}

const ENDLESS_FRACTION_DIGITS = 30

/** How many fractional digits n/denominator in lowest terms needs, or null when the decimal never ends because of a factor besides 2 and 5. */
function endingFractionDigits(denominator: bigint): number | null {
  let rest = denominator
  let twos = 0
  let fives = 0
  for (; rest % 2n === 0n; rest /= 2n) twos++
  for (; rest % 5n === 0n; rest /= 5n) fives++
  return rest === 1n ? Math.max(twos, fives) : null
}

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  while (right !== 0n) [left, right] = [right, left % right]
  return left
}
