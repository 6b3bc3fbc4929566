import { invariant } from '../../base/invariant.ts'
import { type Rational, rational } from '../rational.ts'
import type { Money } from './money.ts'

/**
 * Splits an amount over lines by weight: each gets its exact share cut to whole minor units, and the left over units go, one
 * each, to the largest remainders; ties to the earlier line. Weights are not below zero; when all weights are zero, so is the
 * amount, and nobody gets anything.
 */
export function split<C extends string>(amount: Money<C>, weights: readonly bigint[]): readonly Money<C>[] {
  const whole = weights.reduce((left, right) => left + right, 0n)
  invariant(whole > 0n || amount === 0n, 'an amount is split over lines with some weight')
  if (whole === 0n) return weights.map(() => 0n as Money<C>)
  return roundTogether(
    amount,
    weights.map((weight) => rational(amount * weight, whole)),
  )
}

/**
 * Rounds exact shares (minor units) so that they add up to `amount`, which is their rounded sum. Shares are cut towards zero, so
 * that shares of the opposite sign round to the opposite: a document that mirrors another mirrors each of its lines.
 */
export function roundTogether<C extends string>(amount: Money<C>, exact: readonly Rational[]): readonly Money<C>[] {
  const shares = exact.map(({ numerator, denominator }) => numerator / denominator)
  const left = shares.reduce((rest, share) => rest - share, amount as bigint)
  const sign = left < 0n ? -1n : 1n
  const byRemainder = exact
    .map(({ numerator, denominator }, index) => ({ index, remainder: rational(sign * (numerator % denominator), denominator) }))
    .sort((a, b) => compare(b.remainder, a.remainder) || a.index - b.index)
  invariant(left * sign <= BigInt(shares.length), 'shares differ from their sum by less than a minor unit each')
  for (const { index } of byRemainder.slice(0, Number(left * sign))) shares[index] = (shares[index] ?? 0n) + sign
  return shares as Money<C>[]
}

function compare(left: Rational, right: Rational): number {
  const difference = left.numerator * right.denominator - right.numerator * left.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
