import type { InvoiceDocument, InvoiceLine } from '../../domain/billing/invoice.ts'
import { type Currency, type Money, moneyText, negate } from '../../domain/billing/money.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import { formatRational } from '../../domain/rational.ts'
import type { Json } from './content-hash.ts'

/**
 * A document as it is kept, hashed and answered: amounts as decimal texts with all digits of the currency, instants as ISO 8601.
 * A credit note's total is shown above zero, as the amount that is given back; its lines and nets stay as they were decided.
 */
export function invoiceRecord<C extends string>(currency: Currency<C>, document: InvoiceDocument<C>): InvoiceRecord {
  const text = (amount: Money<C>) => moneyText(currency, amount)
  const { id, kind, status, customer, subscription } = document
  return {
    ...{ id, document: document.document, kind, status, customer, subscription, currency: document.currency },
    closesAt: iso(document.closesAtMs),
    finalisedAt: iso(document.finalisedAtMs),
    dueAt: iso(document.dueAtMs),
    lines: document.lines.map((line) => lineRecord(line, text)),
    subtotal: text(document.subtotal),
    discount: text(document.discount),
    credits: text(document.credits),
    net: text(document.net),
    taxes: document.taxes.map(({ rate, base, amount }) => {
      const { key, name, percentNano, isInclusive } = rate
      return { key, name, percent: formatQuantity(percentNano), inclusive: isInclusive, base: text(base), amount: text(amount) }
    }),
    tax: text(document.tax),
    total: text(document.document === 'creditNote' ? negate(document.total) : document.total),
    balanceApplied: text(document.balanceApplied),
    due: text(document.due),
  }
}

export type InvoiceRecord = { readonly [field: string]: Json }

function lineRecord<C extends string>(line: InvoiceLine<C>, text: (amount: Money<C>) => string): InvoiceRecord {
  const { item, feature, plan, planVersion, quantityNano, exact, tiers, adjusts, billedBy } = line
  return {
    ...{ line: line.line, kind: line.kind },
    ...(item !== null && { item }),
    ...(feature !== null && { feature }),
    ...(plan !== null && { plan, planVersion }),
    ...{ from: iso(line.period.startMs), to: iso(line.period.endMs) },
    ...(quantityNano !== null && { quantity: formatQuantity(quantityNano) }),
    ...(exact !== null && { exact: formatRational(exact) }),
    ...(tiers !== null && { tiers }),
    ...{ amount: text(line.amount), discount: text(line.discount), credits: text(line.credits), net: text(line.net), tax: text(line.tax) },
    ...(line.taxRates.length > 0 && { taxRates: line.taxRates.map(({ key }) => key) }),
    ...(adjusts !== null && { adjusts }),
    ...(billedBy.length > 0 && { billedBy }),
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
