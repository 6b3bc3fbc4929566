import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { uncollectiblePosted } from '../../domain/billing/ledger-transaction.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import { type DocumentStores, lockIn, type OfDocument } from './pay-invoice.ts'

/** What is still due is not expected any more: it becomes bad debt. A payment may come all the same. */
export async function writeOffInvoice(stores: DocumentStores, of: OfDocument, reason: string): Promise<Outcome<StoredInvoice>> {
  const { tenant, id, nowMs } = of
  const invoice = await lockIn(stores, of, 'write off', ['finalised'])
  if (isRefusal(invoice)) return invoice
  const { customer, currency, due, paid } = invoice
  const transaction = uncollectiblePosted(`invoice/${id}/uncollectible`, due)
  await stores.ledger.post(tenant, [{ customer, currency, postedAtMs: nowMs, transaction }])
  await stores.invoices.settle(tenant, id, { status: 'uncollectible', due, paid })
  await stores.outbox.append(tenant, [{ type: 'invoice.uncollectible', object: id, data: { invoice: id, reason }, createdAtMs: nowMs }])
  return { ...invoice, status: 'uncollectible' }
}
