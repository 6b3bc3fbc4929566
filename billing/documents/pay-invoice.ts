import type { InvoiceStatus, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { PaymentStore } from '../../adapters/database/payments/payment-store.ts'
import { invariant } from '../../base/invariant.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { Credit } from '../../domain/billing/credit.ts'
import { creditGrantedPosted, type LedgerTransaction, mirrored, uncollectiblePosted } from '../../domain/billing/ledger-transaction.ts'
import { currencyOf, minus, moneyText, parseMoney, plus } from '../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { decidePayment } from '../invoices/payment.ts'
import type { BookStores } from '../runs/book-page.ts'

export type DocumentStores = BookStores & { readonly payments: PaymentStore }
/** Which document, and when it happens. */
export type OfDocument = { readonly tenant: TenantKey; readonly id: string; readonly nowMs: InstantMs }
export type PaymentInput = {
  readonly amount: string | number
  /** That of the document when absent. */
  readonly currency?: string
  readonly reference: string
  readonly paidAtMs: InstantMs
}

/**
 * Money that came in for a document: it pays what is due, and the rest goes to the balance of account. What was written off is owed
 * again as far as it is paid. A reference counts once: the same payment again answers the document as it is. Refuses
 * `unknown_invoice`, `invoice_not_open`, `payment_in_other_currency`, `amount_too_fine`, `invalid_amount`, `payment_reference_taken`.
 */
export async function payInvoice(stores: DocumentStores, of: OfDocument, given: PaymentInput): Promise<Outcome<StoredInvoice>> {
  const { tenant, id, nowMs } = of
  const { reference, paidAtMs } = given
  const invoice = await lockIn(stores, of, 'pay', ['finalised', 'paid', 'uncollectible'])
  if (isRefusal(invoice)) return invoice
  const { customer, currency: code, status } = invoice
  const currency = orThrow(currencyOf(code))
  if (given.currency !== undefined && given.currency !== code) {
    return refuseField('currency', refuse('payment_in_other_currency', { invoice: id, currency: code, paid: given.currency }))
  }
  const amount = parseMoney(currency, given.amount)
  if (isRefusal(amount)) return refuseField('amount', amount)
  if (amount <= 0n)
    return refuseFields('invalid_amount', [
      { field: 'amount', code: 'invalid_amount', detail: `amount must be above 0, was ${given.amount}` },
    ])
  const known = await stores.payments.get(tenant, reference)
  if (known !== null) {
    const isSame = known.invoice === id && known.amount === amount
    return isSame ? invoice : refuse('payment_reference_taken', { reference, invoice: known.invoice })
  }
  const source = `payment/${reference}`
  const { applied, toBalance, isPaid, transaction } = decidePayment(source, invoice.due, amount)
  const owedAgain: readonly LedgerTransaction[] =
    status === 'uncollectible' ? [mirrored(`${source}/owed`, uncollectiblePosted(source, applied))] : []
  await stores.payments.append(tenant, { invoice: id, reference, amount, toBalance, paidAtMs })
  await stores.ledger.post(
    tenant,
    [...owedAgain, transaction].map((each) => ({ customer, currency: code, postedAtMs: nowMs, transaction: each })),
  )
  if (toBalance > 0n) {
    const account = (await stores.credits.lock(tenant, [{ customer, currency: code }])).get(accountName(customer, code))
    if (account !== undefined) {
      await stores.credits.save(tenant, [{ customer, currency: code, account: { ...account, balance: plus(account.balance, toBalance) } }])
    }
  }
  const settled = { status: isPaid ? ('paid' as const) : status, due: minus(invoice.due, applied), paid: plus(invoice.paid, applied) }
  await stores.invoices.settle(tenant, id, settled)
  if (isPaid && status !== 'paid') await grantAwaited(stores, of, invoice)
  const payment = { invoice: id, reference, amount: moneyText(currency, amount), toBalance: moneyText(currency, toBalance) }
  await stores.outbox.append(tenant, [
    { type: 'payment.recorded', object: id, data: payment, createdAtMs: nowMs },
    ...(isPaid && status !== 'paid' ? [{ type: 'invoice.paid' as const, object: id, data: invoice.record, createdAtMs: nowMs }] : []),
  ])
  return { ...invoice, ...settled }
}

/** The credit that a document sells appears when it is paid. One that has its id by now leaves it the document's. */
async function grantAwaited(
  stores: DocumentStores,
  { tenant, id, nowMs }: OfDocument,
  { customer, currency, undo }: StoredInvoice,
): Promise<void> {
  const { awaiting = null } = undo as { readonly awaiting?: Credit | null }
  if (awaiting === null) return
  const account = (await stores.credits.lock(tenant, [{ customer, currency }])).get(accountName(customer, currency))
  invariant(account !== undefined, 'an account that was locked is there')
  const credit = account.credits.some((each) => each.id === awaiting.id) ? { ...awaiting, id } : awaiting
  await stores.credits.save(tenant, [{ customer, currency, account: { ...account, credits: [...account.credits, credit] } }])
  const transaction = creditGrantedPosted(`invoice/${id}/granted`, credit)
  await stores.ledger.post(tenant, [{ customer, currency, postedAtMs: nowMs, transaction }])
  await stores.outbox.append(tenant, [
    { type: 'credit.granted', object: credit.id, data: { customer, currency, credit: credit.id }, createdAtMs: nowMs },
  ])
}

/** The document with its row locked, if it is in one of these states. */
export async function lockIn(
  { invoices }: Pick<DocumentStores, 'invoices'>,
  { tenant, id }: OfDocument,
  wanted: string,
  states: readonly InvoiceStatus[],
): Promise<Outcome<StoredInvoice>> {
  const invoice = await invoices.lock(tenant, id)
  if (invoice === null) return refuse('unknown_invoice', { invoice: id })
  return states.includes(invoice.status) ? invoice : refuse('invoice_not_open', { invoice: id, status: invoice.status, wanted })
}
