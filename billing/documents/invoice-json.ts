import type { Static } from 'typebox'
import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { currencyOf, type Money, moneyText, zero } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { InvoiceDocumentSchema } from '../../schemas/http/invoices.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'

export type InvoiceJson = Static<typeof InvoiceDocumentSchema>

/** The frozen record, with what has become of it since. */
export function invoiceJson({ record, status, currency: code, due, paid, numbered }: StoredInvoice): InvoiceJson {
  const currency = orThrow(currencyOf(code))
  const text = (amount: Money) => moneyText(currency, amount)
  const { contentHash = null, previousHash = null } = numbered ?? {}
  // What was written as a record is read as one.
  return { ...(record as unknown as InvoiceJson), status, due: text(due), paid: text(paid), contentHash, previousHash }
}

/** The record as it would be, without what only a final document has. */
export function draftJson(record: InvoiceRecord): InvoiceJson {
  const currency = orThrow(currencyOf(String(record.currency)))
  const open = { number: null, status: 'draft', finalisedAt: null, dueAt: null, contentHash: null, previousHash: null } as const
  return { ...(record as unknown as InvoiceJson), ...open, paid: moneyText(currency, zero()) }
}
