import type { FeatureKey } from '../identity.ts'
import type { Rational } from '../rational.ts'
import { add, rational, roundHalfUp } from '../rational.ts'
import { lesser, type Money } from './money.ts'

/** What a coupon takes off: percent of what is left, or an amount, at most what is left; the rest of the amount is lost. */
export type Reduction<C extends string = string> =
  | { readonly kind: 'percent' /** Percent times 10^9, above 0 and at most 100. */; readonly percentNano: bigint }
  | { readonly kind: 'amount'; readonly amount: Money<C> }

/** A coupon as attached to a subscription. */
export type Coupon<C extends string = string> = {
  readonly id: string
  readonly reduction: Reduction<C>
  /** Only lines of these features; null is every line. */
  readonly features: readonly FeatureKey[] | null
  /** Documents on which the coupon still gives something; null: no end. A `once` coupon starts at 1. */
  readonly usesLeft: number | null
}

/** Coupons for named features come first, the others in the order in which they were attached. */
export function inOrderOfUse<C extends string>(coupons: readonly Coupon<C>[]): readonly Coupon<C>[] {
  const usable = coupons.filter(({ usesLeft }) => usesLeft === null || usesLeft > 0)
  return [...usable.filter(({ features }) => features !== null), ...usable.filter(({ features }) => features === null)]
}

/** What one reduction takes off an amount that is not below zero; rounded once. */
export function reductionOf<C extends string>(reduction: Reduction<C>, amount: Money<C>): Money<C> {
  if (reduction.kind === 'amount') return lesser(reduction.amount, amount)
  return roundHalfUp(rational(amount * reduction.percentNano, HUNDRED_PERCENT_NANO), 0) as Money<C>
}

/**
 * What reductions, one after the other, take off a line that was counted again and now comes to `amount`: a fixed amount takes
 * off what it took before, at most what is left of the line. Rounded once at the end, so that corrections do not drift.
 */
export function reducedBy<C extends string>(reductions: readonly Reduction<C>[], amount: Money<C>): Money<C> {
  let left: Rational = { numerator: amount, denominator: 1n }
  for (const reduction of reductions) {
    if (reduction.kind === 'percent') {
      left = rational(left.numerator * (HUNDRED_PERCENT_NANO - reduction.percentNano), left.denominator * HUNDRED_PERCENT_NANO)
    } else {
      const rest = add(left, { numerator: -reduction.amount, denominator: 1n })
      left = rest.numerator > 0n ? rest : { numerator: 0n, denominator: 1n }
    }
  }
  return roundHalfUp(add({ numerator: amount, denominator: 1n }, { ...left, numerator: -left.numerator }), 0) as Money<C>
}

const HUNDRED_PERCENT_NANO = 100_000_000_000n
