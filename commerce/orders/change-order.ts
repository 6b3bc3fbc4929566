import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import type { License } from '../../adapters/database/licenses/license-store.ts'
import { invariant } from '../../base/invariant.ts'
import { issueCreditNote } from '../../billing/credit-notes/issue-credit-note.ts'
import { type Money, plus } from '../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { LicenseState, Suspension } from '../../domain/selling/license-terms.ts'
import { type Order, orderStatus } from '../../domain/selling/order.ts'
import { toldOf } from '../checkout/complete-sale.ts'
import type { SellingStores } from '../selling-stores.ts'
import { orderJson } from './order-json.ts'

export type MoneyBack = { readonly amount: Money; readonly isFull: boolean; readonly isDispute: boolean }

/** Money of an order went back, by the provider's word: a credit note of the amount; in full, also everything that was handed over. */
export async function refundOrder(stores: SellingStores, checkout: TenantCheckout, back: MoneyBack, nowMs: InstantMs): Promise<void> {
  const { tenant } = checkout
  const order = await lockedOrder(stores, checkout)
  await creditOrder(stores, tenant, order, back, nowMs)
  const refunded = plus(order.refunded, back.amount)
  const status = back.isFull ? ('refunded' as const) : orderStatus(order.paid, refunded, order.isDisputed)
  const isDisputed = order.isDisputed && !back.isFull
  const after: Order = { ...order, refunded, isDisputed, status, ...(back.isFull && { endMs: endedNow(order, nowMs) }) }
  await stores.orders.save(tenant, after)
  await stores.outbox.append(tenant, [{ type: 'order.refunded', object: order.id, data: orderJson(after), createdAtMs: nowMs }])
  if (!back.isFull) return
  // A dispute takes the goods too, and leaves the coupon used: else buying and disputing would give it again and again.
  if (!back.isDispute) await stores.coupons.free(tenant, order.id)
  await changeLicenses(stores, tenant, order, nowMs, 'license.revoked', (license) =>
    license.revokedMs === null ? { ...license, revokedMs: nowMs } : license,
  )
}

export async function openDispute(stores: SellingStores, checkout: TenantCheckout, nowMs: InstantMs): Promise<void> {
  const { tenant } = checkout
  const order = await lockedOrder(stores, checkout)
  const after: Order = { ...order, isDisputed: true, status: orderStatus(order.paid, order.refunded, true) }
  await stores.orders.save(tenant, after)
  await stores.outbox.append(tenant, [{ type: 'order.disputed', object: order.id, data: orderJson(after), createdAtMs: nowMs }])
  await changeLicenses(stores, tenant, order, nowMs, 'license.suspended', (license) => suspended(license, 'dispute'))
}

export async function winDispute(stores: SellingStores, checkout: TenantCheckout, nowMs: InstantMs): Promise<void> {
  const { tenant } = checkout
  const order = await lockedOrder(stores, checkout)
  await stores.orders.save(tenant, { ...order, isDisputed: false, status: orderStatus(order.paid, order.refunded, false) })
  await changeLicenses(stores, tenant, order, nowMs, 'license.resumed', (license) => resumed(license, 'dispute'))
}

export function suspended<State extends LicenseState>(license: State, cause: Suspension): State {
  return license.suspendedBy.includes(cause) ? license : { ...license, suspendedBy: [...license.suspendedBy, cause] }
}

export function resumed<State extends LicenseState>(license: State, cause: Suspension): State {
  return { ...license, suspendedBy: license.suspendedBy.filter((each) => each !== cause) }
}

async function lockedOrder(stores: SellingStores, { tenant, order }: TenantCheckout): Promise<Order> {
  const locked = order === null ? null : await stores.orders.lock(tenant, order)
  invariant(locked !== null, 'what is refunded or disputed was paid, and has an order')
  return locked
}

/** In full, the note also takes back what the balance of account had paid, which goes there again. */
async function creditOrder(stores: SellingStores, tenant: TenantKey, order: Order, back: MoneyBack, nowMs: InstantMs): Promise<void> {
  const { invoice } = order
  if (invoice === null) return
  const { settings } = await stores.inputs.read(tenant, [])
  const of = { tenant, id: invoice, nowMs, noteId: stores.invoices.createId(nowMs, null) }
  const lines = [back.isFull ? { line: '1' } : { line: '1', total: back.amount }]
  const input = { lines, reason: back.isDispute ? 'dispute' : 'refund', refund: 'external' as const, externalMax: back.amount }
  orThrow(await issueCreditNote(stores, of, settings, { ...input, returnsCredits: false }))
}

async function changeLicenses(
  stores: SellingStores,
  tenant: TenantKey,
  { id }: Order,
  nowMs: InstantMs,
  type: 'license.revoked' | 'license.suspended' | 'license.resumed',
  change: (license: License) => License,
): Promise<void> {
  const changed: License[] = []
  for (const license of await stores.licenses.ofOwner(tenant, id)) {
    const after = change(license)
    if (after === license) continue
    await stores.licenses.save(tenant, after)
    changed.push(after)
  }
  if (changed.length === 0) return
  await stores.outbox.append(tenant, [{ type, object: id, data: { order: id, licenses: changed.map(toldOf) }, createdAtMs: nowMs }])
}

function endedNow({ startMs, endMs }: Order, nowMs: InstantMs): InstantMs {
  return Math.max(startMs ?? nowMs, Math.min(nowMs, endMs ?? nowMs)) as InstantMs
}
