import type { Price } from '../domain/catalog/price.ts'
import { type Rational, rational } from '../domain/rational.ts'
import { type RatedCharge, rate, rateExact } from './rate.ts'

/**
 * Prices the usage of a part of a period. `whole` takes the table as printed, however short the part. `scaled` is f · price(q /
 * f), where f is the part's exact fraction of its cell: bounds, flat amounts, packages and free units shrink with the time, so
 * that changing plans to and fro gives no free units twice. The lines are then those of the quantity q / f, and the sum is f
 * times theirs.
 */
export function ratePart(price: Price, quantityNano: bigint, fraction: Rational, tiers: 'whole' | 'scaled'): RatedCharge {
  if (tiers === 'whole' || fraction.numerator === fraction.denominator) return rate(price, quantityNano)
  if (fraction.numerator === 0n) return { exact: { numerator: 0n, denominator: 1n }, lines: [] }
  const { numerator, denominator } = fraction
  const pace = rateExact(price, rational(quantityNano * denominator, numerator))
  return { exact: rational(pace.exact.numerator * numerator, pace.exact.denominator * denominator), lines: pace.lines }
}
