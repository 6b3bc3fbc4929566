import { type Taxes, taxRatesOf } from '../../billing/steps/apply-taxes.ts'
import { type Settled, settle } from '../../billing/steps/settle.ts'
import type { Coupon } from '../../domain/billing/coupon.ts'
import { type Currency, currencyOf, type Money, moneyText, parseMoney, zero } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { QUANTITY_MAX_DEFAULT } from '../../domain/catalog/plan-selling.ts'
import { NANO } from '../../domain/decimal.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { rational } from '../../domain/rational.ts'
import { isRefusal, type Outcome, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'

/** What somebody wants to buy. */
export type OrderAsk = {
  readonly plan: PlanVersion
  /** The plan's own when absent. */
  readonly currency?: string | undefined
  readonly quantity?: number | undefined
  /** What a unit costs, where the visitor names it. */
  readonly amount?: string | number | undefined
  readonly coupons: readonly Coupon[]
  readonly taxes: Taxes
  /** Money owed to the buyer: only that of somebody who has proved who it is. */
  readonly balance: Money
  /** The least that the provider takes; null where it takes any amount. */
  readonly providerMinimum: Money | null
}

export type OrderTotals = {
  readonly currency: Currency
  readonly quantity: number
  readonly unitAmount: Money
  readonly settled: Settled
  /** Nothing is due: the purchase is complete at once. */
  readonly isFree: boolean
}

/**
 * Steps 1 to 7 of billing on one `base` line: the totals that the visitor sees and the very lines of the document to come. Refuses
 * `invalid_quantity`, `currency_not_offered`, `amount_not_accepted`, `invalid_amount`, `amount_below_minimum`, `amount_above_maximum`,
 * `coupon_currency_mismatch`, `amount_not_payable`.
 */
export function decideOrderTotals(ask: OrderAsk, nowMs: InstantMs): Outcome<OrderTotals> {
  const { plan, quantity = 1 } = ask
  const quantityMax = plan.quantityMax ?? QUANTITY_MAX_DEFAULT
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > quantityMax) {
    const detail = `quantity must be a whole number from 1 to ${quantityMax}, was ${quantity}`
    return refuseFields('invalid_quantity', [{ field: 'quantity', code: 'invalid_quantity', detail }])
  }
  const price = priceOf(ask)
  if (isRefusal(price)) return price
  const { currency, unitAmount } = price
  const amount = (unitAmount * BigInt(quantity)) as Money
  const settled = settle(
    [
      {
        ...{ kind: 'base', item: plan.name, feature: null, plan: plan.plan, planVersion: plan.version },
        ...{
          period: { startMs: nowMs, endMs: nowMs },
          quantityNano: BigInt(quantity) * NANO,
          exact: rational(amount, 10n ** BigInt(currency.digits)),
        },
        ...{ tiers: null, amount, taxRates: taxRatesOf(ask.taxes, undefined), adjusts: null, billedBy: [] },
        ...{ before: null, costs: [{ atMs: nowMs, amount }], isShown: true },
      },
    ],
    { coupons: ask.coupons, credits: [], balance: ask.balance },
  )
  const { due } = settled.totals
  if (due > 0n && ask.providerMinimum !== null && due < ask.providerMinimum) {
    const { code } = currency
    return refuse('amount_not_payable', {
      due: moneyText(currency, due),
      currency: code,
      least: moneyText(currency, ask.providerMinimum),
    })
  }
  return { currency, quantity, unitAmount, settled, isFree: due === 0n }
}

function priceOf({ plan, currency: wanted = plan.currency, amount }: OrderAsk): Outcome<{ currency: Currency; unitAmount: Money }> {
  const further = plan.prices?.find((price) => price.currency === wanted)
  if (wanted !== plan.currency && further === undefined) {
    const offered = [plan.currency, ...(plan.prices ?? []).map((price) => price.currency)]
    return refuseField('currency', refuse('currency_not_offered', { currency: wanted, plan: plan.plan, offered }))
  }
  const currency = currencyOf(wanted)
  if (isRefusal(currency)) return refuseField('currency', currency)
  const { payWhatYouWant } = plan
  if (payWhatYouWant === undefined || further !== undefined) {
    if (amount !== undefined) return refuseField('amount', refuse('amount_not_accepted', { plan: plan.plan }))
    const fixed = parseMoney(currency, further?.baseFee ?? plan.baseFee ?? '0')
    return isRefusal(fixed) ? fixed : { currency, unitAmount: fixed }
  }
  const typed = parseMoney(currency, amount ?? payWhatYouWant.suggested)
  if (isRefusal(typed) || typed < 0n) {
    const detail = `amount must be a decimal from 0 on with at most ${currency.digits} fractional digits, was ${String(amount).slice(0, 40)}`
    return refuseFields('invalid_amount', [{ field: 'amount', code: 'invalid_amount', detail }])
  }
  const [least, most] = [payWhatYouWant.min, payWhatYouWant.max].map((text) => (text === undefined ? null : parseMoney(currency, text)))
  if (least != null && !isRefusal(least) && typed < least) {
    return refuseField(
      'amount',
      refuse('amount_below_minimum', { amount: moneyText(currency, typed), least: payWhatYouWant.min, currency: wanted }),
    )
  }
  if (most != null && !isRefusal(most) && typed > most) {
    return refuseField(
      'amount',
      refuse('amount_above_maximum', { amount: moneyText(currency, typed), most: payWhatYouWant.max ?? '', currency: wanted }),
    )
  }
  return { currency, unitAmount: typed }
}

export const NO_BALANCE: Money = zero()
