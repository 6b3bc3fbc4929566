import { greater, type Money, minus, sum, zero } from '../domain/billing/money.ts'

/**
 * The true-up to a minimum: the share of the minimum that falls on the part, less the rounded amounts of the part's lines, before
 * coupons and without tax. So lines and true-up make the minimum to the minor unit.
 */
export function trueUp<C extends string>(minimum: Money<C>, counted: readonly Money<C>[]): Money<C> {
  return greater(minus(minimum, sum(counted)), zero())
}
