import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { invariant } from '../../base/invariant.ts'
import { invoiceRecord } from '../../billing/invoices/invoice-record.ts'
import { NO_ACCOUNT } from '../../billing/runs/billing-states.ts'
import { partiesOf } from '../../billing/runs/frozen-record.ts'
import { issueDocuments } from '../../billing/runs/issue-documents.ts'
import { transactionsOf } from '../../billing/steps/post.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import { lesser, minus, moneyText } from '../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Order } from '../../domain/selling/order.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import type { SellingStores } from '../selling-stores.ts'
import type { DecidedTotals } from './decided-totals.ts'

export type OrderDocument = {
  readonly tenant: TenantKey
  readonly order: Order
  readonly decided: DecidedTotals
  readonly nowMs: InstantMs
}

/**
 * The document of an order, of kind `order`: numbered, posted, and due until it is paid. A total of 0 is kept without a number. What the
 * balance of account was to pay is paid as far as it is still there: it may have been spent since the totals were confirmed.
 */
export async function issueOrderDocument(stores: SellingStores, { tenant, order, decided, nowMs }: OrderDocument): Promise<StoredInvoice> {
  const { customer, invoice: id } = order
  invariant(id !== null, 'an order that is paid has a document')
  const { currency } = decided
  const account =
    (await stores.credits.lock(tenant, [{ customer, currency: currency.code }])).get(accountName(customer, currency.code)) ?? NO_ACCOUNT
  const balanceApplied = lesser(decided.totals.balanceApplied, account.balance)
  const inputs = await stores.inputs.read(tenant, [customer])
  const document: InvoiceDocument = {
    ...decided.totals,
    ...{ balanceApplied, due: minus(decided.totals.total, balanceApplied) },
    lines: decided.totals.lines.map((line) => ({ ...line, period: { startMs: nowMs, endMs: nowMs } })),
    ...{ id, kind: 'order', status: decided.totals.total === 0n ? 'nothingDue' : 'finalised', customer, subscription: null },
    ...{ currency: currency.code, closesAtMs: nowMs, finalisedAtMs: nowMs },
    dueAtMs: (nowMs + (inputs.customers.get(customer)?.dueDays ?? inputs.settings.dueDays) * DAY_MS) as InstantMs,
  }
  const transactions = transactionsOf(document, { lines: [] })
  const saved = { ...account, balance: minus(account.balance, balanceApplied) }
  await stores.credits.save(tenant, [{ customer, currency: currency.code, account: saved }])
  await stores.ledger.post(
    tenant,
    transactions.map((transaction) => ({ customer, currency: currency.code, postedAtMs: nowMs, transaction })),
  )
  const undo = { document: 'invoice', total: document.total, balanceApplied, burns: [], couponsUsed: [], transactions }
  const isPaid = document.due === 0n
  const status = document.status === 'nothingDue' ? ('nothingDue' as const) : isPaid ? ('paid' as const) : ('finalised' as const)
  const record = invoiceRecord(currency, document)
  const unitAmount = moneyText(currency, decided.unitAmount)
  const lines = (record.lines as readonly (typeof record)[]).map((line) => ({ ...line, unitAmount }))
  const made = {
    ...{ id, customer, subscription: null, decision: null, currency: currency.code, closesAtMs: nowMs, due: document.due, undo },
    ...{ document: 'invoice' as const, status, record: { ...record, ...partiesOf(inputs, customer), order: order.id, lines } },
  }
  const [issued] = await issueDocuments(stores, tenant, inputs.settings, [made], nowMs)
  invariant(issued !== undefined, 'each document that is issued is answered')
  return issued
}
