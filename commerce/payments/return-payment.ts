import type { TenantCheckout } from '../../adapters/database/checkouts/checkout-store.ts'
import type { StoredAttempt } from '../../adapters/database/payment-attempts/payment-attempt-store.ts'
import { invariant } from '../../base/invariant.ts'
import { paymentPosted, refundPosted } from '../../domain/billing/ledger-transaction.ts'
import { currencyOf, moneyText } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { SellingStores } from '../selling-stores.ts'

/**
 * A second payment for what is paid goes back to the payer, who may be a stranger: it is posted and given back in one transaction, and
 * never stands on a balance. What is to go back is kept with the attempt; telling the provider is still to be done by hand.
 */
export async function returnPayment(
  stores: SellingStores,
  checkout: TenantCheckout,
  attempt: StoredAttempt,
  nowMs: InstantMs,
): Promise<void> {
  const { tenant } = checkout
  const order = checkout.order === null ? null : await stores.orders.get(tenant, checkout.order)
  invariant(order !== null, 'a payment is one too many where an order is paid')
  const source = `payment/${attempt.id}`
  const transactions = [paymentPosted(source, attempt.amount, attempt.amount), refundPosted(`${source}/return`, attempt.amount)]
  await stores.ledger.post(
    tenant,
    transactions.map((transaction) => ({ customer: order.customer, currency: attempt.currency, postedAtMs: nowMs, transaction })),
  )
  await stores.attempts.giveBack(attempt.id, attempt.amount, nowMs)
  const amount = moneyText(orThrow(currencyOf(attempt.currency)), attempt.amount)
  const data = { checkout: checkout.id, attempt: attempt.id, amount, currency: attempt.currency }
  await stores.outbox.append(tenant, [{ type: 'payment.returned', object: checkout.id, data, createdAtMs: nowMs }])
}
