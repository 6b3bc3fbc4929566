import type { Static } from 'typebox'
import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { currencyOf, type Money, moneyText } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { FinalInvoiceSchema } from '../../schemas/http/invoices.ts'

export type InvoiceJson = Static<typeof FinalInvoiceSchema>

/** The frozen record, with what has become of it since. */
export function invoiceJson({ record, status, currency: code, due, paid, numbered }: StoredInvoice): InvoiceJson {
  const currency = orThrow(currencyOf(code))
  const text = (amount: Money) => moneyText(currency, amount)
  const { contentHash = null, previousHash = null } = numbered ?? {}
  // What was written as a record is read as one.
  return { ...(record as unknown as InvoiceJson), status, due: text(due), paid: text(paid), contentHash, previousHash }
}
