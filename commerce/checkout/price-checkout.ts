import { reductionOf } from '../../billing/runs/billing-states.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { Coupon } from '../../domain/billing/coupon.ts'
import { currencyOf, type Money } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse, refuseField } from '../../domain/refusal.ts'
import type { CheckoutAsk } from '../../domain/selling/checkout.ts'
import type { SellingStores } from '../selling-stores.ts'
import { decideOrderTotals, NO_BALANCE, type OrderTotals } from './order-totals.ts'

export type PricingStores = Pick<SellingStores, 'inputs' | 'coupons'>

/** The totals of what was asked for, as of now. Refuses as `decideOrderTotals`, and `unknown_coupon`, `coupon_ended`, `coupon_currency_mismatch`. */
export async function priceCheckout(
  stores: PricingStores,
  tenant: TenantKey,
  plan: PlanVersion,
  asked: CheckoutAsk,
  leastAmount: (currency: string) => Money | null,
  nowMs: InstantMs,
): Promise<Outcome<OrderTotals>> {
  const { customer, currency, coupon } = asked
  const inputs = await stores.inputs.read(tenant, customer === null ? [] : [customer])
  const coupons = coupon === null ? [] : await readCoupon(stores, tenant, coupon, currency, nowMs)
  if (isRefusal(coupons)) return coupons
  const known = customer === null ? undefined : inputs.customers.get(customer)
  const account = customer === null ? undefined : inputs.accounts.get(accountName(customer, currency))
  return decideOrderTotals(
    {
      ...{ plan, currency, quantity: asked.quantity, amount: asked.amount ?? undefined, coupons },
      taxes: {
        rates: inputs.taxRates,
        defaults: known?.taxRates ?? inputs.settings.taxRates,
        isExempt: known?.taxExempt ?? false,
      },
      ...{ balance: account?.balance ?? NO_BALANCE, providerMinimum: leastAmount(currency) },
    },
    nowMs,
  )
}

async function readCoupon(
  { coupons }: PricingStores,
  tenant: TenantKey,
  key: string,
  code: string,
  nowMs: InstantMs,
): Promise<Outcome<readonly Coupon[]>> {
  const refusal = await coupons.take(tenant, [key], nowMs)
  if (refusal !== null)
    return refuseField(
      'coupon',
      refusal.code === 'coupon_ended' ? refuse('coupon_ended', { coupon: key }) : refuse('unknown_coupon', { coupon: key }),
    )
  const definition = await coupons.get(tenant, key)
  if (definition === null) return refuseField('coupon', refuse('unknown_coupon', { coupon: key }))
  return couponFor(definition, code)
}

/** A coupon for one purchase. Refuses `coupon_currency_mismatch`. */
export function couponFor(definition: Parameters<typeof reductionOf>[0], code: string): Outcome<readonly Coupon[]> {
  const currency = currencyOf(code)
  if (isRefusal(currency)) return currency
  const reduction = reductionOf(definition, currency)
  const { key, off, features } = definition
  if (reduction === null) {
    const couponCurrency = 'currency' in off ? off.currency : ''
    return refuse('coupon_currency_mismatch', { coupon: key, currency: code, couponCurrency })
  }
  return [{ id: key, reduction, features, usesLeft: 1 }]
}
