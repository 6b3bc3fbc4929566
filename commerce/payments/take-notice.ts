import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import type { StoredAttempt } from '../../adapters/database/payment-attempts/payment-attempt-store.ts'
import { unreachable } from '../../base/invariant.ts'
import { zero } from '../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { PaymentNotice } from '../../domain/selling/payment-attempt.ts'
import { completeSale } from '../checkout/complete-sale.ts'
import type { IssueDeps } from '../licenses/issue-licenses.ts'
import { openDispute, refundOrder, winDispute } from '../orders/change-order.ts'
import type { SellingStores, WriteSale } from '../selling-stores.ts'
import { returnPayment } from './return-payment.ts'
import { decideNotice, type SaleFact } from './sale.ts'

/** A notice as a provider told it. `tenant` is the one that the notice names, for those whose attempt nobody knows. */
export type ToldNotice = PaymentNotice & { readonly provider: string; readonly tenant: TenantKey }

export type TakeNoticeDeps = IssueDeps & { readonly write: WriteSale }

/**
 * Takes what a provider tells, in one transaction: the notice is kept, once; the attempt climbs; and what follows for the sale is
 * written. Notices of one checkout queue on its row.
 */
export async function takeNotice(deps: TakeNoticeDeps, notice: ToldNotice, nowMs: InstantMs): Promise<void> {
  await deps.write(async (stores) => {
    const attempt = await stores.attempts.find(notice.attempt)
    const checkout = attempt?.checkout == null ? null : await stores.checkouts.lock(attempt.checkout)
    const attempts = checkout === null ? [] : await stores.attempts.ofCheckout(checkout.id)
    const order = checkout?.order == null ? null : await stores.orders.get(checkout.tenant, checkout.order)
    const facts = decideNotice(attempts, order?.refunded ?? zero(), notice)
    const aside = facts.find((fact) => fact.type === 'setAside')
    const { provider, id } = notice
    const tenant = checkout?.tenant ?? notice.tenant
    const isNew = await stores.attempts.keepNotice({ provider, id, tenant, notice, setAside: aside?.reason ?? null, nowMs })
    if (!isNew) return
    for (const fact of facts) await write(stores, deps, { tenant, checkout: checkout?.id ?? null, attempts }, notice, fact, nowMs)
  })
}

type Sale = { readonly tenant: TenantKey; readonly checkout: string | null; readonly attempts: readonly StoredAttempt[] }

async function write(
  stores: SellingStores,
  deps: IssueDeps,
  { tenant, checkout: id, attempts }: Sale,
  notice: ToldNotice,
  fact: SaleFact,
  nowMs: InstantMs,
): Promise<void> {
  if (fact.type === 'setAside') {
    const data = { provider: notice.provider, notice: notice.id, attempt: notice.attempt, reason: fact.reason }
    return await stores.outbox.append(tenant, [{ type: 'payment.set_aside', object: notice.id, data, createdAtMs: nowMs }])
  }
  // An earlier fact of this notice may have changed it.
  const checkout = id === null ? null : await stores.checkouts.find(id)
  if (checkout === null) return
  switch (fact.type) {
    case 'climbed':
      return await stores.attempts.save(fact.attempt, nowMs)
    case 'failed':
      return await reopen(stores, checkout, notice, nowMs)
    case 'actionRequired': {
      const data = { checkout: checkout.id, attempt: fact.attempt.id }
      return await stores.outbox.append(tenant, [{ type: 'payment.action_required', object: checkout.id, data, createdAtMs: nowMs }])
    }
    case 'paid': {
      const { id: reference, amount } = fact.attempt
      await completeSale(stores, deps, checkout, { reference, amount }, nowMs)
      return
    }
    case 'returned': {
      const attempt = attempts.find((each) => each.id === fact.attempt.id)
      return attempt === undefined ? undefined : await returnPayment(stores, checkout, attempt, nowMs)
    }
    case 'refunded':
      return await refundOrder(stores, checkout, fact, nowMs)
    case 'disputed':
      return await openDispute(stores, checkout, nowMs)
    case 'disputeWon':
      return await winDispute(stores, checkout, nowMs)
    default:
      return unreachable(fact)
  }
}

/** After a decline the visitor may change what was typed, and try again. */
async function reopen(stores: SellingStores, checkout: TenantCheckout, notice: ToldNotice, nowMs: InstantMs): Promise<void> {
  if (checkout.status === 'processing') await stores.checkouts.save({ ...checkout, status: 'open' })
  const data = { checkout: checkout.id, attempt: notice.attempt, effect: notice.effect }
  await stores.outbox.append(checkout.tenant, [{ type: 'payment.failed', object: checkout.id, data, createdAtMs: nowMs }])
}
