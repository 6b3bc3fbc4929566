import { accountName } from '../../domain/billing/billing-inputs.ts'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { creditEnded } from '../../domain/billing/ledger-transaction.ts'
import { plus } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import type { BookStores } from '../runs/book-page.ts'

/**
 * Ends a credit with what is left of it; what it has paid stays paid. A repeat changes nothing. What was paid for the rest is the seller's.
 * Refuses `unknown_credit`.
 */
export async function voidCredit(
  { credits, ledger, outbox }: Pick<BookStores, 'credits' | 'ledger' | 'outbox'>,
  of: { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly currency: string; readonly nowMs: InstantMs },
  id: string,
): Promise<Outcome<Credit>> {
  const { tenant, customer, currency, nowMs } = of
  const account = (await credits.lock(tenant, [{ customer, currency }])).get(accountName(customer, currency))
  const credit = account?.credits.find((each) => each.id === id)
  if (account === undefined || credit === undefined) return refuse('unknown_credit', { credit: id })
  const left = leftOf(credit)
  if (left === 0n) return credit
  const ended = { ...credit, voided: plus(credit.voided, left) }
  const others = account.credits.map((each) => (each.id === id ? ended : each))
  await credits.save(tenant, [{ customer, currency, account: { ...account, credits: others } }])
  // A void document may give some back to a credit that was void already, which is then void once more.
  const source = `credit/${customer}/${id}/voided/${credit.burned}`
  await ledger.post(tenant, [{ customer, currency, postedAtMs: nowMs, transaction: creditEnded(source, credit, left) }])
  await outbox.append(tenant, [{ type: 'credit.voided', object: id, data: { customer, currency, credit: id }, createdAtMs: nowMs }])
  return ended
}
