import { invariant } from '../../base/invariant.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { Credit } from '../../domain/billing/credit.ts'
import { creditPosted, paymentPosted } from '../../domain/billing/ledger-transaction.ts'
import { zero } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import type { BookStores } from '../runs/book-page.ts'

export type GrantedCredit = { readonly credit: Credit; readonly isNew: boolean }

/**
 * Gives a customer a credit, or answers the one that has its id already: a retry is the same credit, and one with other terms is refused
 * `credit_id_taken`. What was paid for it has come in: it is booked as cash.
 */
export async function grantCredit(
  { credits, ledger, outbox }: Pick<BookStores, 'credits' | 'ledger' | 'outbox'>,
  of: { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly currency: string; readonly nowMs: InstantMs },
  credit: Credit,
): Promise<Outcome<GrantedCredit>> {
  const { tenant, customer, currency, nowMs } = of
  const account = (await credits.lock(tenant, [{ customer, currency }])).get(accountName(customer, currency))
  invariant(account !== undefined, 'an account that was locked is there')
  const known = account.credits.find(({ id }) => id === credit.id)
  if (known !== undefined) {
    const isSame = known.amount === credit.amount && known.paid === credit.paid && known.expiresAtMs === credit.expiresAtMs
    return isSame ? { credit: known, isNew: false } : refuse('credit_id_taken', { credit: credit.id, customer })
  }
  await credits.save(tenant, [{ customer, currency, account: { ...account, credits: [...account.credits, credit] } }])
  const source = `credit/${customer}/${credit.id}`
  const paid = credit.paid > 0n ? [paymentPosted(`${source}/paid`, credit.paid, zero())] : []
  await ledger.post(
    tenant,
    [creditPosted(source, credit, zero()), ...paid].map((transaction) => ({ customer, currency, postedAtMs: nowMs, transaction })),
  )
  await outbox.append(tenant, [
    { type: 'credit.granted', object: credit.id, data: { customer, currency, credit: credit.id }, createdAtMs: nowMs },
  ])
  return { credit, isNew: true }
}
