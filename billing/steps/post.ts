import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import { balancePosted, invoicePosted, type LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import { type Money, plus, zero } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import type { BillingState } from './billing-state.ts'
import type { Closing } from './due.ts'
import type { Settled } from './settle.ts'

/**
 * The document of the settled lines. Null when nothing was used and nothing is billed; without a number (`nothingDue`) when
 * something was used that costs nothing, so that each event is on a line.
 */
export function documentOf<C extends string>(
  { subscription, currency, settings }: BillingState<C>,
  { kind, closesAtMs }: Closing,
  { totals }: Settled<C>,
  nowMs: InstantMs,
  id: string,
): InvoiceDocument<C> | null {
  const hasAmount = totals.lines.some(({ amount }) => amount !== 0n)
  const hasQuantity = totals.lines.some(({ quantityNano }) => (quantityNano ?? 0n) !== 0n)
  if (!hasAmount && !hasQuantity && !settings.issueZero) return null
  return {
    ...totals,
    ...{ id, kind, closesAtMs, currency: currency.code, customer: subscription.customer, subscription: subscription.id },
    status: hasAmount || settings.issueZero ? 'finalised' : 'nothingDue',
    finalisedAtMs: nowMs,
    dueAtMs: (nowMs + settings.dueMs) as InstantMs,
  }
}

/** The document's entries in the ledger: its own transaction, and the amount that the balance of account pays. */
export function transactionsOf<C extends string>(
  document: InvoiceDocument<C> | null,
  { lines }: Pick<Settled<C>, 'lines'>,
): readonly LedgerTransaction<C>[] {
  if (document === null) return []
  const burned = new Map<string, Money<C>>()
  for (const { credit, amount } of lines.flatMap(({ burns }) => burns)) burned.set(credit, plus(burned.get(credit) ?? zero(), amount))
  const source = `invoice/${document.id}`
  const posted = invoicePosted(source, { tax: document.tax, total: document.total, burned })
  const balance = balancePosted(`${source}/balance`, document.balanceApplied)
  return [posted, balance].filter(({ entries }) => entries.length > 0)
}
