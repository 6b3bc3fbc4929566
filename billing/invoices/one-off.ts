import type { Credit } from '../../domain/billing/credit.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import type { ManualLine } from '../../domain/billing/invoice-draft.ts'
import { creditPosted, type LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import { type Currency, minus } from '../../domain/billing/money.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import type { Taxes } from '../steps/apply-taxes.ts'
import { manualLine } from '../steps/manual-lines.ts'
import { transactionsOf } from '../steps/post.ts'
import { type Purse, settle } from '../steps/settle.ts'

/**
 * A document without a subscription: lines by hand, or the sale of a credit. Coupons and credits are for usage and subscriptions,
 * so they lower neither; taxes and the balance of account apply as on every document.
 */
export function decideOneOff<C extends string>(asked: OneOff<C>, nowMs: InstantMs, id: string): OneOffDecision<C> {
  const { currency, taxes, customer, dueMs } = asked
  const kind = asked.credit === null ? 'manual' : 'topUp'
  const lines = asked.lines.map((line) => manualLine(currency, taxes, line, nowMs, kind))
  const settled = settle(lines, { ...asked.purse, coupons: [] })
  const document: InvoiceDocument<C> = {
    ...settled.totals,
    ...{ id, kind, status: 'finalised', customer, subscription: null, currency: currency.code },
    ...{ closesAtMs: nowMs, finalisedAtMs: nowMs, dueAtMs: (nowMs + dueMs) as InstantMs },
  }
  const credit = asked.credit === null ? null : { ...asked.credit, paid: minus(document.total, document.tax) }
  const [posted, ...balance] = transactionsOf(document, settled)
  const sold = credit === null ? posted : creditPosted(`invoice/${id}`, credit, document.tax)
  const purse = {
    ...asked.purse,
    balance: settled.balance,
    credits: credit === null ? asked.purse.credits : [...asked.purse.credits, credit],
  }
  return { document, purse, transactions: [...(sold === undefined ? [] : [sold]), ...balance] }
}

export type OneOff<C extends string = string> = {
  readonly currency: Currency<C>
  readonly customer: CustomerKey
  readonly lines: readonly ManualLine[]
  /** The credit that a top-up sells; what is paid for it is the sum of the lines without tax. Null for lines by hand. */
  readonly credit: Omit<Credit<C>, 'paid'> | null
  readonly purse: Purse<C>
  readonly taxes: Taxes
  readonly dueMs: number
}

export type OneOffDecision<C extends string = string> = {
  readonly document: InvoiceDocument<C>
  readonly purse: Purse<C>
  readonly transactions: readonly LedgerTransaction<C>[]
}
