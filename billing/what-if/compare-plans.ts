import { invariant } from '../../base/invariant.ts'
import { type Currency, type Money, minus, plus, roundMoney, zero } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { NANO } from '../../domain/decimal.ts'
import { rate } from '../../rating/rate.ts'

/** The cost of the same usage of a period under the billed plan and under another. */
export function comparePlans<C extends string>(currency: Currency<C>, billed: PricedPlan, wouldBe: PricedPlan, usage: UsageByFeature) {
  invariant(billed.currency === wouldBe.currency, 'plans are compared in one currency')
  const was = costOf(currency, billed, usage)
  const would = costOf(currency, wouldBe, usage)
  return { billed: was, wouldBe: would, difference: minus(would, was) }
}

type PricedPlan = Pick<PlanVersion, 'currency' | 'baseFee' | 'charges'>

/** Nano units; an absent feature was not used. */
type UsageByFeature = ReadonlyMap<string, bigint>

/** The base fee of a whole period and every charge, each rounded once. */
function costOf<C extends string>(currency: Currency<C>, { baseFee, charges }: PricedPlan, usage: UsageByFeature): Money<C> {
  const base = baseFee === null ? zero<C>() : roundMoney(currency, rate({ model: 'flat', unitAmount: baseFee }, NANO).exact)
  return charges.reduce((total, { feature, price }) => plus(total, roundMoney(currency, rate(price, usage.get(feature) ?? 0n).exact)), base)
}
