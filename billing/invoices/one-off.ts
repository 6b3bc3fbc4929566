import type { Credit } from '../../domain/billing/credit.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import type { ManualLine, SoldCredit } from '../../domain/billing/invoice-draft.ts'
import { creditAwaitedPosted, creditPosted, type LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
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
  const sold = soldCredit(asked, document)
  const granted = sold !== null && (sold.grantOn === 'finalised' || document.due === 0n) ? sold.credit : null
  const awaiting = sold !== null && granted === null ? sold.credit : null
  const [posted, ...balance] = transactionsOf(document, settled)
  const source = `invoice/${id}`
  const own =
    granted !== null
      ? creditPosted(source, granted, document.tax)
      : awaiting !== null
        ? creditAwaitedPosted(source, awaiting, document.tax)
        : posted
  const purse = {
    ...asked.purse,
    balance: settled.balance,
    credits: granted === null ? asked.purse.credits : [...asked.purse.credits, granted],
  }
  return { document, purse, granted, awaiting, transactions: [...(own === undefined ? [] : [own]), ...balance] }
}

/** What is paid for a credit is the sum of the lines without tax. */
function soldCredit<C extends string>({ credit: sold }: OneOff<C>, { total, tax }: InvoiceDocument<C>) {
  if (sold === null) return null
  const { grantOn, ...credit } = sold
  return { grantOn, credit: { ...credit, paid: minus(total, tax) } }
}

export type OneOff<C extends string = string> = {
  readonly currency: Currency<C>
  readonly customer: CustomerKey
  readonly lines: readonly ManualLine[]
  /** The credit that a top-up sells. Null for lines by hand. */
  readonly credit: SoldCredit<C> | null
  readonly purse: Purse<C>
  readonly taxes: Taxes
  readonly dueMs: number
}

export type OneOffDecision<C extends string = string> = {
  readonly document: InvoiceDocument<C>
  readonly purse: Purse<C>
  /** The credit that the customer has now, or that it has once the document is paid. */
  readonly granted: Credit<C> | null
  readonly awaiting: Credit<C> | null
  readonly transactions: readonly LedgerTransaction<C>[]
}
