import { invariant } from '../../base/invariant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import { type Currency, currencyOf, moneyText, plus, sum, zero } from '../../domain/billing/money.ts'
import type { RatedLine } from '../../domain/billing/rated-line.ts'
import { phaseAt, type Subscription } from '../../domain/catalog/subscription.ts'
import { formatQuantity, NANO } from '../../domain/decimal.ts'
import { END_OF_TIME_MS, type FeatureKey, type SubscriptionId } from '../../domain/identity.ts'
import { formatRational } from '../../domain/rational.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import { rate } from '../../rating/rate.ts'
import { siblingsOf } from '../runs/billing-states.ts'
import { baseCost } from '../steps/base-fees.ts'
import { BILLING_SETTINGS_DEFAULT, type BillingState, type UsageOf } from '../steps/billing-state.ts'
import type { CountedPart } from '../steps/plan-parts.ts'
import { pricePart } from '../steps/price-parts.ts'
import { planOf } from '../steps/service-parts.ts'
import type { PricedLine } from '../steps/settle.ts'

/**
 * What a billing period comes to so far, before coupons, credits and taxes: the base fee, every charge in the order of the plan, also
 * without usage, and what is missing to minimums; priced as the part that a document bills. Each line is rounded once, and the total is
 * the sum of the rounded lines.
 */
export function upcomingLines<C extends string>(state: BillingState<C>, part: CountedPart<C>, usage: UsageOf): UpcomingLines {
  const { currency } = state
  const fee = part.plan.baseFee === null ? null : baseCost(state, currency, part)
  const priced = pricePart(state, part, part.period.endMs, usage).map(({ line }) => line)
  const total = plus(fee ?? zero<C>(), sum(priced.map(({ amount }) => amount)))
  return {
    lines: [...(fee === null ? [] : [baseLine(part, moneyText(currency, fee))]), ...priced.flatMap((line) => pricedLine(currency, line))],
    total: moneyText(currency, total),
  }
}

export type UpcomingLines = { readonly lines: readonly UpcomingLine[]; readonly total: string }

/** `amount` is `exact` rounded half up to the currency's minor unit, at most the charge's maximum. */
export type UpcomingLine = {
  readonly kind: 'base' | 'usage' | 'trueUp'
  readonly charge?: string
  readonly feature?: FeatureKey
  readonly quantity: string
  readonly amount: string
  readonly exact: string
  readonly tiers?: readonly RatedLine[]
  /** Other subscriptions that bill usage of the feature in the period. */
  readonly billedBy?: readonly SubscriptionId[]
}

/** The subscription as if its period were the first that is billed: with nothing billed before, and nothing that lowers it. */
export function stateOfPeriod(inputs: InvoiceInputs, subscription: Subscription): Outcome<BillingState> {
  const { startMs } = subscription
  const planVersions = inputs.planVersions.filter(({ plan, version }) =>
    subscription.phases.some((phase) => phase.plan === plan && phase.planVersion === version),
  )
  const currency = currencyOf(planOf({ subscription, planVersions }, phaseAt(subscription, startMs)).currency)
  if (isRefusal(currency)) return currency
  return {
    ...{ subscription, planVersions, currency, siblings: siblingsOf(subscription, inputs), settings: BILLING_SETTINGS_DEFAULT },
    ...{ taxes: { rates: new Map(), defaults: [], isExempt: false }, purse: { coupons: [], credits: [], balance: zero() } },
    ...{ cutOff: { partition: 0, offset: 0 }, othersBilledToMs: END_OF_TIME_MS },
    ...{ cursor: { baseBilledToMs: null, usageBilledToMs: startMs, version: 0 }, baseFees: [], parts: [], committed: null },
  }
}

/** The fee as the plan shows it where the whole of it is due, and else its share. */
function baseLine<C extends string>({ plan, cell, period }: CountedPart<C>, amount: string): UpcomingLine {
  invariant(plan.baseFee !== null, 'a plan with a line for its fee has one')
  const isWhole = plan.interval === 'once' || (cell.startMs === period.startMs && cell.endMs === period.endMs)
  const exact = isWhole ? formatRational(rate({ model: 'flat', unitAmount: plan.baseFee }, NANO).exact) : amount
  return { kind: 'base', quantity: '1', amount, exact }
}

function pricedLine<C extends string>(currency: Currency<C>, line: PricedLine<C>): readonly UpcomingLine[] {
  const { kind, item, feature, quantityNano, exact, tiers, billedBy } = line
  const amount = moneyText(currency, line.amount)
  const of = { ...(item !== null && item !== 'minimum' && { charge: item }), ...(feature !== null && { feature }) }
  if (kind === 'usage' && quantityNano !== null && exact !== null) {
    const counted = { quantity: formatQuantity(quantityNano), amount, exact: formatRational(exact) }
    return [{ kind, ...of, ...counted, ...(tiers !== null && { tiers }), ...(billedBy.length > 0 && { billedBy }) }]
  }
  return kind === 'trueUp' && line.amount !== 0n ? [{ kind, ...of, quantity: '1', amount, exact: amount }] : []
}
