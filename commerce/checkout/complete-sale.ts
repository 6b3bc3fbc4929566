import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import type { License } from '../../adapters/database/licenses/license-store.ts'
import { invariant } from '../../base/invariant.ts'
import { payInvoice } from '../../billing/documents/pay-invoice.ts'
import { type Money, moneyText, zero } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { Order } from '../../domain/selling/order.ts'
import { type IssueDeps, issueLicenses } from '../licenses/issue-licenses.ts'
import { orderJson } from '../orders/order-json.ts'
import { orderTerm } from '../orders/order-term.ts'
import type { SellingStores } from '../selling-stores.ts'
import type { DecidedTotals } from './decided-totals.ts'
import { issueOrderDocument } from './issue-order-document.ts'

/** Money that came for a sale; null where nothing was due. */
export type SalePayment = { readonly reference: string; readonly amount: Money } | null

/**
 * Makes a paid checkout what was bought, in the transaction that records the payment: the document, paid in the book; the order, with
 * its entitlements; keys, files and links; and who is told. The caller has locked the checkout, which is not complete. What is
 * numbered comes after what is handed over, as the end of the series is locked from then on.
 */
export async function completeSale(
  stores: SellingStores,
  deps: IssueDeps,
  checkout: TenantCheckout,
  payment: SalePayment,
  nowMs: InstantMs,
): Promise<Order> {
  const { tenant, asked } = checkout
  const decided = checkout.decided as DecidedTotals | null
  invariant(decided !== null, `checkout ${checkout.id} was confirmed before it was paid`)
  const plan = await stores.plans.get(tenant, checkout.plan, checkout.planVersion)
  invariant(plan !== null, `checkout ${checkout.id} names a plan that is kept`)
  const id = stores.orders.createId(nowMs)
  const customer = asked.customer ?? (await createGuest(stores, checkout, id))
  const earlier = await stores.orders.heldOf(tenant, customer, plan.plan)
  const terms = earlier.flatMap(({ startMs, endMs }) => (startMs === null ? [] : [{ startMs, endMs }]))
  const order: Order = {
    ...{ id, customer, plan: plan.plan, planVersion: plan.version, quantity: asked.quantity, currency: decided.currency.code },
    ...{ status: 'paid', invoice: stores.invoices.createId(nowMs, null), checkout: checkout.id, paid: payment?.amount ?? zero() },
    ...{ refunded: zero(), isDisputed: false, metadata: asked.metadata, createdMs: nowMs, paidMs: nowMs },
    ...orderTerm(plan, terms, nowMs),
  }
  await stores.orders.create(tenant, order)
  const licenses = await handOver(stores, deps, tenant, plan, order, nowMs)
  if (asked.coupon !== null) await stores.coupons.spend(tenant, asked.coupon, id)
  await stores.checkouts.save({ ...checkout, status: 'complete', order: id, completedMs: nowMs })
  const document = await issueOrderDocument(stores, { tenant, order, decided, nowMs })
  if (payment !== null)
    orThrow(await payInvoice(stores, { tenant, id: document.id, nowMs }, { ...moneyOf(decided, payment), paidAtMs: nowMs }))
  await stores.outbox.append(tenant, [
    { type: 'checkout.completed', object: checkout.id, data: { checkout: checkout.id, order: id, customer }, createdAtMs: nowMs },
    { type: 'order.paid', object: id, data: orderJson(order), createdAtMs: nowMs },
    ...(licenses.length === 0
      ? []
      : [{ type: 'license.issued' as const, object: id, data: { order: id, licenses: licenses.map(toldOf) }, createdAtMs: nowMs }]),
  ])
  return order
}

/** Keys, files and links of an order: each deliverable once. */
async function handOver(
  stores: SellingStores,
  deps: IssueDeps,
  tenant: TenantKey,
  { deliverables = [], product }: PlanVersion,
  { id: owner, customer, quantity }: Order,
  nowMs: InstantMs,
): Promise<readonly License[]> {
  const held = deliverables.flatMap((terms) =>
    terms.kind === 'license' ? [] : [{ id: stores.holdings.createId(nowMs), customer, owner, terms, grantedMs: nowMs }],
  )
  await stores.holdings.grant(tenant, held)
  const licenses: License[] = []
  for (const each of deliverables) {
    if (each.kind !== 'license') continue
    const issue = { customer, product, policy: each.policy, owner, deliverable: each.key, quantity, issuedMs: nowMs }
    licenses.push(...(await issueLicenses(stores, deps, tenant, issue)))
  }
  return licenses
}

/** Whoever has that address already: an address that is typed opens nothing of an existing customer. */
async function createGuest(stores: SellingStores, { tenant, asked }: TenantCheckout, order: string): Promise<CustomerKey> {
  const key = `guest_${order.slice(order.indexOf('_') + 1)}` as CustomerKey
  const { name, email, taxId, country } = asked
  const billing = { ...(taxId !== null && { taxId }), ...(country !== null && { address: country }) }
  orThrow(await stores.customers.put(tenant, { key, name, email, subjects: [], metadata: {}, ...billing }))
  return key
}

/** Without the key: those who are told see its last four characters. */
export function toldOf({ id, customer, policy, lastFour }: License) {
  return { id, customer, policy, lastFour }
}

function moneyOf({ currency }: DecidedTotals, { reference, amount }: NonNullable<SalePayment>) {
  return { reference, amount: moneyText(currency, amount), currency: currency.code }
}
