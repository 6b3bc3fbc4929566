import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import type { TenantBillingSettings } from '../../domain/billing/billing-settings.ts'
import { zero } from '../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { contentHash, type Json } from '../invoices/content-hash.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'

/** A document as it was decided: what is not there yet is its number, its hash, and what is paid of it. */
export type NewDocument = Omit<StoredInvoice, 'numbered' | 'record' | 'paid'> & {
  readonly document: 'invoice' | 'creditNote'
  readonly record: InvoiceRecord
}

/**
 * Numbers documents and writes them, as the last thing that their transaction does: the end of a series is locked here, so the
 * lock lasts as long as a commit, and a transaction that is taken back takes no number.
 */
export async function issueDocuments(
  { invoices, outbox }: { readonly invoices: InvoiceStore; readonly outbox: OutboxStore },
  tenant: TenantKey,
  settings: Pick<TenantBillingSettings, 'invoicePrefix' | 'creditNotePrefix'>,
  documents: readonly NewDocument[],
  nowMs: InstantMs,
): Promise<readonly StoredInvoice[]> {
  const issued: StoredInvoice[] = documents
    .filter(({ status }) => status === 'nothingDue')
    .map(({ document: _document, record, ...rest }) => ({ ...rest, paid: zero(), numbered: null, record: { ...record, number: null } }))
  for (const [kind, prefix] of [['invoice', settings.invoicePrefix] as const, ['creditNote', settings.creditNotePrefix] as const]) {
    const ofSeries = documents.filter(({ document, status }) => document === kind && status !== 'nothingDue')
    if (ofSeries.length === 0) continue
    let { last, lastHash } = await invoices.lockSeries(tenant, kind)
    for (const { document: _document, record, ...rest } of ofSeries) {
      last += 1
      const numbered: { readonly [field: string]: Json } = { ...record, number: `${prefix}${String(last).padStart(NUMBER_DIGITS, '0')}` }
      const hash = contentHash(numbered, lastHash)
      issued.push({
        ...{ ...rest, paid: zero(), record: numbered },
        numbered: { series: kind, sequence: last, contentHash: hash, previousHash: lastHash },
      })
      lastHash = hash
    }
    await invoices.moveSeries(tenant, kind, { last, lastHash })
  }
  await invoices.append(tenant, issued)
  await outbox.appendDocuments(
    tenant,
    issued.flatMap(({ id, numbered }) => {
      if (numbered === null) return []
      const type = numbered.series === 'invoice' ? ('invoice.finalised' as const) : ('credit_note.issued' as const)
      return [{ type, object: id, createdAtMs: nowMs }]
    }),
  )
  return issued
}

/** Numbers of a million documents sort as texts do. */
const NUMBER_DIGITS = 6
