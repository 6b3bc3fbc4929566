import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import { type Currency, currencyOf, type Money, minus, moneyText, negate, parseMoney, plus, sum, zero } from '../../domain/billing/money.ts'
import { isRefusal, orThrow } from '../../domain/refusal.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import { type BookDifference, differing } from './book-difference.ts'

/** Document = sum of its lines, in whole minor units, and its own transaction in the ledger says the same. `posted` is null when there is none. */
export function checkDocument(audited: AuditedDocument, posted: LedgerTransaction | null): readonly BookDifference[] {
  const { id, currency: code } = audited
  const currency = orThrow(currencyOf(code))
  const text = (amount: Money) => moneyText(currency, amount)
  // What was written as a record is read as one.
  const record = audited.record as unknown as Omit<InvoiceJson, 'paid'>
  const fine = amountsOf(record).flatMap(([field, amount]) => {
    const read = parseMoney(currency, amount)
    return isRefusal(read)
      ? [{ what: 'amounts are whole minor units', where: `${id} ${field}`, expected: `at most ${currency.digits} digits`, found: amount }]
      : []
  })
  if (fine.length > 0) return fine
  const of = (amount: string) => amountOf(currency, amount)
  const { lines, taxes } = record
  const isNote = record.document === 'creditNote'
  const total = isNote ? negate(of(record.total)) : of(record.total)
  const onTop = sum(taxes.filter(({ inclusive }) => !inclusive).map(({ amount }) => of(amount)))
  const same = (what: string, expected: Money, found: Money) => differing(what, id, text(expected), text(found))
  return [
    ...lines.flatMap(({ line, amount, discount, credits, net }) =>
      differing(
        'a line is its amount less discount and credits',
        `${id} line ${line}`,
        text(minus(minus(of(amount), of(discount)), of(credits))),
        net,
      ),
    ),
    ...(['discount', 'credits', 'net', 'tax'] as const).flatMap((field) =>
      same(`${field} of a document is the sum of its lines`, sum(lines.map((line) => of(line[field]))), of(record[field])),
    ),
    ...same('the subtotal is the sum of the amounts', sum(lines.map(({ amount }) => of(amount))), of(record.subtotal)),
    ...same('tax is the sum of the rates', sum(taxes.map(({ amount }) => of(amount))), of(record.tax)),
    ...same('the total is nets and taxes', plus(of(record.net), onTop), total),
    ...same('due is the total less the balance', isNote ? zero() : minus(total, of(record.balanceApplied)), of(record.due)),
    ...checkPosted(id, currency, record, total, posted),
  ]
}

/** Documents of a subscription; a sold credit posts otherwise, and a note by hand has a source of its own. */
const POSTED_KINDS: ReadonlySet<string> = new Set(['opening', 'cycle', 'closing', 'change', 'threshold', 'adjustment'])

function checkPosted(
  id: string,
  currency: Currency,
  record: Pick<InvoiceJson, 'kind' | 'tax' | 'credits'>,
  total: Money,
  posted: LedgerTransaction | null,
): readonly BookDifference[] {
  if (!POSTED_KINDS.has(record.kind)) return []
  const entries = posted?.entries ?? []
  const account = (...names: readonly string[]) => sum(entries.filter(({ account }) => names.includes(account)).map(({ amount }) => amount))
  const same = (what: string, expected: Money, found: Money) =>
    differing(what, `${id} in the ledger`, moneyText(currency, expected), moneyText(currency, found))
  return [
    ...same('a document is posted with its total', total, account('receivable', 'balance')),
    ...same('a document is posted with its tax', negate(amountOf(currency, record.tax)), account('tax')),
    ...same('a document is posted with its credits', amountOf(currency, record.credits), account('credits')),
  ]
}

function amountsOf(record: Omit<InvoiceJson, 'paid'>): readonly (readonly [string, string])[] {
  const { subtotal, discount, credits, net, tax, total, balanceApplied, due } = record
  return [
    ...Object.entries({ subtotal, discount, credits, net, tax, total, balanceApplied, due }),
    ...record.lines.flatMap((line) =>
      (['amount', 'discount', 'credits', 'net', 'tax'] as const).map((field) => [`line ${line.line} ${field}`, line[field]] as const),
    ),
    ...record.taxes.flatMap(({ key, base, amount }) => [[`tax ${key} base`, base] as const, [`tax ${key}`, amount] as const]),
  ]
}

function amountOf(currency: Currency, text: string): Money {
  return orThrow(parseMoney(currency, text))
}
