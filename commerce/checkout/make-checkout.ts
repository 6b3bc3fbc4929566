import type { Static } from 'typebox'
import type { Money } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, PlanKey, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import type { Checkout, CheckoutAsk } from '../../domain/selling/checkout.ts'
import { HOUR_MS, MINUTE_MS } from '../../domain/time/durations.ts'
import type { CheckoutInputSchema } from '../../schemas/http/checkouts.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import { holdsAt } from '../orders/order-term.ts'
import { readEmail } from '../people/email.ts'
import type { SellingStores } from '../selling-stores.ts'
import { priceCheckout } from './price-checkout.ts'

export type CheckoutInput = Static<typeof CheckoutInputSchema>

/** With a publishable key, which may stand in a page: what whoever reads that page must not choose. */
export type PublicLimits = { readonly returnUrls: readonly string[] } | null

export const CHECKOUT_HOURS_MAX = 24
export const CHECKOUT_MINUTES_MIN = 30

export type MakeCheckoutDeps = {
  readonly stores: Pick<SellingStores, 'inputs' | 'coupons' | 'plans' | 'customers' | 'orders' | 'checkouts'>
  readonly leastAmount: (currency: string) => Money | null
}

/**
 * A checkout for what was asked. The plan's version is fixed with it. Refuses `unknown_plan`, `not_for_sale`, `unknown_customer`,
 * `invalid_email`, `invalid_return_url`, `invalid_time`, and as `priceCheckout` and `refuseOwned` do.
 */
export async function makeCheckout(
  { stores, leastAmount }: MakeCheckoutDeps,
  tenant: TenantKey,
  input: CheckoutInput,
  limits: PublicLimits,
  nowMs: InstantMs,
): Promise<Outcome<Checkout>> {
  const barred = limits === null ? null : refuseToPublic(limits, input)
  if (barred !== null) return barred
  const key = input.plan as PlanKey
  const plan = await stores.plans.get(tenant, key, input.version)
  if (plan === null) return refuseField('plan', refuse('unknown_plan', { plan: key }))
  if (plan.archivedMs !== null) return refuse('not_for_sale', { plan: key, why: 'it is archived' })
  if (plan.interval !== 'once')
    return refuse('not_for_sale', { plan: key, why: `it is billed each ${plan.interval}, and a checkout sells plans of interval once` })
  if (limits !== null && plan.isListed !== true && plan.hasBuyLink !== true) {
    return refuse('not_for_sale', { plan: key, why: 'it is neither listed nor has a buy link' })
  }
  if (plan.charges.length > 0) return refuse('not_for_sale', { plan: key, why: 'it has charges for usage, and an order is paid once' })
  const asked = await readAsk(stores, tenant, plan.currency, input)
  if (isRefusal(asked)) return asked
  const totals = await priceCheckout(stores, tenant, plan, asked, leastAmount, nowMs)
  if (isRefusal(totals)) return totals
  const owned = asked.customer === null ? null : await refuseOwned(stores, tenant, asked.customer, plan, nowMs)
  if (owned !== null) return owned
  const expiresMs = readExpiry(input.expiresAt, nowMs)
  if (isRefusal(expiresMs)) return expiresMs
  const checkout: Checkout = {
    ...{ id: stores.checkouts.createId(), status: 'open', plan: plan.plan, planVersion: plan.version, asked, decided: null, browser: null },
    ...{ order: null, createdMs: nowMs, expiresMs, completedMs: null },
  }
  await stores.checkouts.create(tenant, checkout)
  return checkout
}

function refuseToPublic({ returnUrls }: { readonly returnUrls: readonly string[] }, { customer, ...input }: CheckoutInput) {
  if (customer !== undefined) return refuseField('customer', refuse('customer_not_taken', {}))
  for (const field of ['successUrl', 'cancelUrl'] as const) {
    const url = input[field]
    const isListed = returnUrls.some((each) => url === each || (each.endsWith('/') && url?.startsWith(each) === true))
    if (url !== undefined && !isListed) return refuseField(field, refuse('url_not_allowed', { url }))
  }
  return null
}

/** Refuses `already_owned` where the plan is sold once to a customer and holds. */
export async function refuseOwned(
  { orders }: Pick<SellingStores, 'orders'>,
  tenant: TenantKey,
  customer: CustomerKey,
  plan: { readonly plan: PlanKey; readonly again?: string },
  nowMs: InstantMs,
) {
  if (plan.again !== 'refuse') return null
  const held = await orders.heldOf(tenant, customer, plan.plan)
  const isOwned = held.some(({ startMs, endMs }) => startMs !== null && holdsAt({ startMs, endMs }, nowMs))
  return isOwned ? refuse('already_owned', { plan: plan.plan }) : null
}

async function readAsk(
  { customers }: Pick<SellingStores, 'customers'>,
  tenant: TenantKey,
  ownCurrency: string,
  input: CheckoutInput,
): Promise<Outcome<CheckoutAsk>> {
  const { quantity = 1, currency = ownCurrency, amount, coupon, metadata = {} } = input
  const customer = input.customer === undefined ? null : await customers.get(tenant, input.customer as CustomerKey)
  if (input.customer !== undefined && customer === null)
    return refuseField('customer', refuse('unknown_customer', { customer: input.customer }))
  const email = input.email === undefined ? null : readEmail(input.email)
  if (isRefusal(email)) return email
  for (const field of ['successUrl', 'cancelUrl'] as const) {
    const wrong = refuseUrl(field, input[field])
    if (wrong !== null) return wrong
  }
  return {
    ...{ customer: customer?.key ?? null, email: email?.typed ?? customer?.email ?? null, name: customer?.name ?? null },
    ...{ country: null, taxId: null, quantity, currency, amount: amount === undefined ? null : String(amount), coupon: coupon ?? null },
    ...{ successUrl: input.successUrl ?? null, cancelUrl: input.cancelUrl ?? null, metadata },
  }
}

function refuseUrl(field: string, url: string | undefined) {
  if (url === undefined || (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) return null
  const detail = `${field} must begin with http:// or https://, was ${url.slice(0, 100)}`
  return refuseFields('invalid_return_url', [{ field, code: 'invalid_return_url', detail }])
}

function readExpiry(given: string | undefined, nowMs: InstantMs): Outcome<InstantMs> {
  if (given === undefined) return (nowMs + CHECKOUT_HOURS_MAX * HOUR_MS) as InstantMs
  const atMs = parseInstant(given, 'expiresAt')
  if (isRefusal(atMs)) return atMs
  if (atMs >= nowMs + CHECKOUT_MINUTES_MIN * MINUTE_MS && atMs <= nowMs + CHECKOUT_HOURS_MAX * HOUR_MS) return atMs
  return refuseField('expiresAt', refuse('invalid_time', { field: 'expiresAt', value: `'${given}'`, of: 'request' }))
}
