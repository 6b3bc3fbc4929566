import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import type { PaymentProvider } from '../../adapters/payments/payments.ts'
import { invariant } from '../../base/invariant.ts'
import { type Currency, type Money, zero } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import type { CheckoutAsk } from '../../domain/selling/checkout.ts'
import type { Attempt } from '../../domain/selling/payment-attempt.ts'
import type { IssueDeps } from '../licenses/issue-licenses.ts'
import type { SellingStores, WriteSale } from '../selling-stores.ts'
import { completeSale } from './complete-sale.ts'
import { type DecidedTotals, decidedOf, totalsText } from './decided-totals.ts'
import { refuseOwned } from './make-checkout.ts'
import { priceCheckout } from './price-checkout.ts'

/** What the visitor typed; what is undefined stays as it was. `totals` is the text of those that were shown. */
export type Typed = Partial<Pick<CheckoutAsk, 'email' | 'name' | 'country' | 'taxId' | 'quantity' | 'amount' | 'coupon'>> & {
  readonly totals?: string
}

export type ConfirmDeps = IssueDeps & { readonly write: WriteSale; readonly payments: PaymentProvider }

/** `pay`: the attempt that is under way, which the provider has still to be told of. */
export type Confirmed =
  | { readonly kind: 'complete' }
  | { readonly kind: 'pay'; readonly attempt: Attempt; readonly checkout: TenantCheckout }

/**
 * Confirms a checkout, in one transaction: the totals are fixed, and one attempt to collect them is a row before the provider hears of
 * it. A second tab that confirms is led to the first one's attempt. Where nothing is due it is complete at once. Refuses
 * `unknown_checkout`, `checkout_not_open`, `totals_changed`, `already_owned`, and as `priceCheckout`.
 */
export async function confirmCheckout(
  deps: ConfirmDeps,
  id: string,
  typed: Typed,
  browser: string,
  nowMs: InstantMs,
): Promise<Outcome<Confirmed>> {
  return await deps.write(async (stores): Promise<Outcome<Confirmed>> => {
    const checkout = await stores.checkouts.lock(id)
    if (checkout === null) return refuse('unknown_checkout', { checkout: id })
    if (checkout.status === 'complete') return { kind: 'complete' }
    if (checkout.status === 'expired' || nowMs >= checkout.expiresMs) {
      return refuse('checkout_not_open', { checkout: id, status: 'expired' })
    }
    if (checkout.status === 'processing') {
      const attempt = (await stores.attempts.ofCheckout(id)).at(-1)
      invariant(attempt !== undefined, 'a checkout that is processing has an attempt')
      return { kind: 'pay', attempt, checkout }
    }
    const decided = await decide(stores, deps, checkout, typed, nowMs)
    if (isRefusal(decided)) return decided
    const confirmed: TenantCheckout = { ...checkout, asked: decided.asked, decided: decided.totals, browser }
    const { due } = decided.totals.totals
    if (due === 0n) {
      await stores.checkouts.save(confirmed)
      await completeSale(stores, deps, confirmed, null, nowMs)
      return { kind: 'complete' }
    }
    await stores.checkouts.save({ ...confirmed, status: 'processing' })
    const attempt = await createAttempt(stores, deps.payments.name, confirmed, decided.totals.currency, due, nowMs)
    return { kind: 'pay', attempt, checkout: confirmed }
  })
}

async function decide(
  stores: SellingStores,
  { payments }: ConfirmDeps,
  checkout: TenantCheckout,
  { totals: seen, ...typed }: Typed,
  nowMs: InstantMs,
): Promise<Outcome<{ readonly asked: CheckoutAsk; readonly totals: DecidedTotals }>> {
  const { tenant } = checkout
  const asked: CheckoutAsk = { ...checkout.asked, ...typed }
  const plan = await stores.plans.get(tenant, checkout.plan, checkout.planVersion)
  invariant(plan !== null, 'a checkout names a plan version that is kept')
  const owned = asked.customer === null ? null : await refuseOwned(stores, tenant, asked.customer, plan, nowMs)
  if (owned !== null) return owned
  const priced = await priceCheckout(stores, tenant, plan, asked, payments.leastAmount, nowMs)
  if (isRefusal(priced)) return priced
  const totals = decidedOf(priced)
  return seen !== undefined && seen !== totalsText(totals) ? refuse('totals_changed', {}) : { asked, totals }
}

async function createAttempt(
  { attempts }: SellingStores,
  provider: string,
  { id: checkout, tenant }: TenantCheckout,
  currency: Currency,
  amount: Money,
  nowMs: InstantMs,
): Promise<Attempt> {
  const number = (await attempts.ofCheckout(checkout)).length + 1
  const attempt: Attempt = {
    ...{ id: attempts.createId(), currency: currency.code, amount, state: 'created', refunded: zero(), dispute: 'none', isCounted: false },
  }
  await attempts.create(tenant, { ...attempt, checkout, number, provider, nowMs })
  return attempt
}
