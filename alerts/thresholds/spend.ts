import type { Currency, Money } from '../../domain/billing/money.ts'
import type { LimitType } from '../../domain/catalog/plan.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { add, type Rational, ZERO } from '../../domain/rational.ts'
import { rate } from '../../rating/rate.ts'

/** The present cost of the charges, exact over all of them; base fees do not count. `usage` is in nano units, by charge. */
export function spendOf(charges: readonly SpendCharge[], usage: ReadonlyMap<string, bigint>): Rational {
  return charges.map(({ key, price }) => rate(price, usage.get(key) ?? 0n).exact).reduce(add, ZERO)
}

export type SpendCharge = { readonly key: string; readonly price: Price }

/** A bound on a customer's spend in a period; `alerts` are percentages of it, ascending. */
export type SpendCap<C extends string = string> = {
  readonly amount: Money<C>
  readonly limitType: LimitType
  readonly alerts: readonly bigint[]
}

/** Whether spending this much in all is allowed: up to exactly the cap it is, and a soft cap only reports that it was passed. */
export function decideSpend<C extends string>(cap: SpendCap<C>, currency: Currency<C>, spent: Rational): SpendDecision {
  if (compareToCap(cap, currency, spent, 100n) <= 0n) return { allowed: true, code: 'within_limit' }
  return cap.limitType === 'soft' ? { allowed: true, code: 'over_soft_limit' } : { allowed: false, code: 'spend_cap_reached' }
}

export type SpendDecision = { readonly allowed: boolean; readonly code: 'within_limit' | 'over_soft_limit' | 'spend_cap_reached' }

/** The alerts that a rise of the spend has reached, each once. */
export function alertsReached<C extends string>(
  cap: SpendCap<C>,
  currency: Currency<C>,
  before: Rational,
  after: Rational,
): readonly bigint[] {
  return cap.alerts.filter(
    (percent) => compareToCap(cap, currency, before, percent) < 0n && compareToCap(cap, currency, after, percent) >= 0n,
  )
}

/** Below, at or above a percentage of the cap. Exact: a millionth of a token over the cap is over it. */
function compareToCap<C extends string>({ amount }: SpendCap<C>, { digits }: Currency<C>, spent: Rational, percent: bigint): bigint {
  return spent.numerator * 10n ** BigInt(digits) * 100n - amount * percent * spent.denominator
}
