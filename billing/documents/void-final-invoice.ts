import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { zero } from '../../domain/billing/money.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { abandonedBook } from '../invoices/abandoned-book.ts'
import { type Voidable, voidInvoice } from '../invoices/void-invoice.ts'
import { type DocumentStores, lockIn, type OfDocument } from './pay-invoice.ts'

/** What a document keeps for being taken back. */
export type Undo = Omit<Voidable, 'document'> &
  Voidable['document'] & {
    /** Of a subscription's document. */
    readonly before?: BillingBook
    /** The credit that a top-up sold. */
    readonly sold?: string | null
    /** The credit that the customer has once the document is paid. */
    readonly awaiting?: Credit | null
  }

/**
 * Takes an unpaid document back: its entries the other way round, credits, coupons and balance as they were before it; it keeps its
 * number. With `isRebilled` the cursor goes back too, and the next run bills the time anew; without it the time stays unbilled, see
 * `abandonedBook`. Refuses `unknown_invoice`, `invoice_not_open`, also when a part was credited, `credit_used` for the sale of a credit
 * that is not whole, and `not_newest_invoice`, as later documents of the subscription were decided from this one.
 */
export async function voidFinalInvoice(
  stores: DocumentStores,
  of: OfDocument,
  { reason, isRebilled }: { readonly reason: string; readonly isRebilled: boolean },
): Promise<Outcome<StoredInvoice>> {
  const { tenant, id, nowMs } = of
  const found = await stores.invoices.get(tenant, id)
  // The cursor first, as runs lock it first: so that a run and a void never wait for each other in a ring.
  const version =
    found === null || found.subscription === null
      ? undefined
      : (await stores.cursors.lock(tenant, [found.subscription])).get(found.subscription)
  const invoice = await lockIn(stores, of, 'void', ['finalised'])
  if (isRefusal(invoice)) return invoice
  const { customer, currency, subscription, paid } = invoice
  if (paid > 0n) return refuse('invoice_not_open', { invoice: id, status: 'paid in part', wanted: 'void' })
  const newest = subscription === null ? null : await stores.invoices.newest(tenant, subscription)
  if (newest !== null && newest.id !== id) return refuse('not_newest_invoice', { invoice: id, newest: newest.id })
  if ((await stores.invoices.notesOf(tenant, id)).length > 0) {
    return refuse('invoice_not_open', { invoice: id, status: 'credited in part', wanted: 'void' })
  }
  const { document, total, balanceApplied, burns, couponsUsed, transactions, before, sold = null } = invoice.undo as Undo
  const account = (await stores.credits.lock(tenant, [{ customer, currency }])).get(accountName(customer, currency))
  invariant(account !== undefined, 'an account that was locked is there')
  if (account.credits.some((credit) => credit.id === sold && leftOf(credit) !== credit.amount)) {
    return refuse('credit_used', { invoice: id, credit: sold ?? '' })
  }
  const made = { document: { document, total, balanceApplied }, burns, couponsUsed, transactions }
  const voided = voidInvoice(made, { credits: account.credits, balance: account.balance, coupons: [] })
  const credits = voided.purse.credits.map((credit) => (credit.id === sold ? { ...credit, voided: credit.amount } : credit))
  await stores.credits.save(tenant, [{ customer, currency, account: { ...account, ...voided.purse, credits } }])
  await stores.ledger.post(
    tenant,
    voided.transactions.map((transaction) => ({ customer, currency, postedAtMs: nowMs, transaction })),
  )
  if (subscription !== null) {
    await stores.coupons.use(
      tenant,
      couponsUsed.map((coupon) => ({ coupon, subscription, uses: -1 })),
    )
  }
  const book = subscription === null ? null : await stores.cursors.book(tenant, subscription)
  if (subscription !== null && book !== null && version !== undefined && before !== undefined) {
    const left = isRebilled ? before : abandonedBook(book, before, id)
    const to = { ...left, cursor: { ...left.cursor, version: version + 1 } }
    // What it closed is open again as it was before it, or counted no more.
    if (invoice.decision !== null) await stores.closedParts.remove(tenant, subscription, invoice.decision)
    await stores.cursors.move(tenant, [{ subscription, fromVersion: version, to, nextDueMs: nowMs }])
  }
  const settled = { status: 'void' as const, due: zero(), paid }
  await stores.invoices.settle(tenant, id, settled)
  await stores.outbox.append(tenant, [
    { type: 'invoice.voided', object: id, data: { invoice: id, reason, rebill: isRebilled }, createdAtMs: nowMs },
  ])
  return { ...invoice, ...settled }
}
