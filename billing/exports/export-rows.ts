import type { ExportedDocument, ExportedEntry } from '../../adapters/database/book-exports/book-export-reader.ts'
import { currencyOf, type Money, moneyText } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'

/** A row of an export: its columns in order. Numbers are exact decimal texts, instants ISO 8601; null is an empty cell. */
export type ExportRow = Readonly<Record<string, string | null>>

export type ExportKind = 'invoices' | 'invoice-lines' | 'ledger-entries'

/** What each export has, in this order. Columns are only ever added, before `cursor`, as others read these files. */
export const EXPORT_COLUMNS: Readonly<Record<ExportKind, readonly string[]>> = {
  invoices: [
    ...['id', 'number', 'document', 'kind', 'status', 'customer', 'subscription', 'currency', 'closesAt', 'finalisedAt', 'dueAt'],
    ...['subtotal', 'discount', 'credits', 'net', 'tax', 'total', 'balanceApplied', 'due', 'paid', 'contentHash', 'previousHash', 'cursor'],
  ],
  'invoice-lines': [
    ...['invoice', 'number', 'document', 'status', 'customer', 'subscription', 'currency', 'closesAt', 'line', 'kind', 'item', 'feature'],
    ...['plan', 'planVersion', 'from', 'to', 'quantity', 'exact', 'amount', 'discount', 'credits', 'net', 'tax', 'taxRates', 'billedBy'],
    ...['adjustsInvoice', 'adjustsLine', 'meter', 'meterRevision', 'partition', 'offsetFrom', 'offsetTo', 'cursor'],
  ],
  'ledger-entries': ['postedAt', 'source', 'position', 'customer', 'currency', 'account', 'amount', 'credit', 'cursor'],
}

export function invoiceRow(document: ExportedDocument): ExportRow {
  const { number, kind, document: what, customer, subscription, currency, closesAt, finalisedAt, dueAt, ...sums } = recordOf(document)
  const { subtotal, discount, credits, net, tax, total, balanceApplied } = sums
  const { id, status, contentHash, previousHash } = document
  return {
    ...{ id, number, document: what, kind, status, customer, subscription, currency, closesAt, finalisedAt, dueAt },
    ...{ subtotal, discount, credits, net, tax, total, balanceApplied },
    ...{ due: moneyOf(currency, document.due), paid: moneyOf(currency, document.paid), contentHash, previousHash },
  }
}

/** One row a line; the document's own fields stand before the line's. */
export function invoiceLineRows(document: ExportedDocument): readonly ExportRow[] {
  const { number, document: what, customer, subscription, currency, closesAt, lines } = recordOf(document)
  const { id: invoice, status } = document
  return lines.map(({ trace, adjusts, taxRates = [], billedBy = [], ...line }) => ({
    ...{ invoice, number, document: what, status, customer, subscription, currency, closesAt, line: line.line, kind: line.kind },
    ...{ item: line.item ?? null, feature: line.feature ?? null, plan: line.plan ?? null, planVersion: text(line.planVersion) },
    ...{ from: line.from, to: line.to, quantity: line.quantity ?? null, exact: line.exact ?? null },
    ...{ amount: line.amount, discount: line.discount, credits: line.credits, net: line.net, tax: line.tax },
    ...{ taxRates: taxRates.join(' '), billedBy: billedBy.join(' ') },
    ...{ adjustsInvoice: adjusts?.invoice ?? null, adjustsLine: adjusts?.line ?? null },
    ...{ meter: trace?.meter ?? null, meterRevision: text(trace?.revision), partition: text(trace?.partition) },
    ...{ offsetFrom: text(trace?.offsetFrom), offsetTo: text(trace?.offsetTo) },
  }))
}

export function ledgerEntryRow({ source, position, postedAtMs, customer, currency, account, amount, credit }: ExportedEntry): ExportRow {
  const place = { postedAt: instantJson(postedAtMs), source, position: String(position) }
  return { ...place, customer, currency, account, amount: moneyOf(currency, amount), credit }
}

/** What was written as a record is read as one. */
function recordOf({ record }: ExportedDocument): Omit<InvoiceJson, 'paid'> {
  return record as unknown as Omit<InvoiceJson, 'paid'>
}

function moneyOf(code: string, amount: Money): string {
  return moneyText(orThrow(currencyOf(code)), amount)
}

function text(number: number | undefined): string | null {
  return number === undefined ? null : String(number)
}
