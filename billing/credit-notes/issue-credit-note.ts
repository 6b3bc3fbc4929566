import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'

import type { Burn } from '../../domain/billing/billed.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { TenantBillingSettings } from '../../domain/billing/billing-settings.ts'
import { creditNotePosted, creditsReturnedPosted, refundPosted } from '../../domain/billing/ledger-transaction.ts'
import { type Currency, currencyOf, lesser, type Money, minus, parseMoney, plus, sum, zero } from '../../domain/billing/money.ts'

import { isRefusal, type Outcome, orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import { type DocumentStores, lockIn, type OfDocument } from '../documents/pay-invoice.ts'
import type { Undo } from '../documents/void-final-invoice.ts'
import { issueDocuments } from '../runs/issue-documents.ts'
import { type Creditable, creditsBack, decideCreditNote } from './credit-note.ts'
import { creditableLines, noteRecord } from './note-record.ts'

export type NoteInput = {
  /** `total` is with tax, in minor units: what a payment provider gives back knows no net. */
  readonly lines: readonly { readonly line: string; readonly amount?: string | number; readonly total?: Money }[]
  readonly reason: string
  readonly refund: 'balance' | 'external'
  /** What was paid out elsewhere, where it is less than all; the rest goes to the balance. */
  readonly externalMax?: Money
  readonly returnsCredits: boolean
}

/** What a note keeps for the notes after it. */
export type NoteUndo = {
  readonly of: string
  readonly lines: readonly { readonly line: string; readonly net: Money; readonly tax?: Money }[]
  readonly returned: readonly Burn[]
}

/**
 * Takes back a part of a final document. It lowers what is still due first; the rest goes to the balance of account, or was paid out
 * elsewhere. What credits had paid goes back to them only when asked for, the last burned first. Refuses `unknown_invoice`,
 * `invoice_not_open`, `unknown_line`, `exceeds_creditable`, `nothing_to_credit`, `amount_too_fine`.
 */
export async function issueCreditNote(
  stores: DocumentStores,
  of: OfDocument & { readonly noteId: string },
  settings: Pick<TenantBillingSettings, 'invoicePrefix' | 'creditNotePrefix'>,
  input: NoteInput,
): Promise<Outcome<StoredInvoice>> {
  const { tenant, id, nowMs, noteId } = of
  const invoice = await lockIn(stores, of, 'credit', ['finalised', 'paid', 'uncollectible'])
  if (isRefusal(invoice)) return invoice
  const { customer, currency: code, numbered } = invoice
  if (numbered?.series !== 'invoice') return refuse('invoice_not_open', { invoice: id, status: 'a credit note', wanted: 'credit' })
  // Until it is paid it has sold nothing that a note could take back: it can be made void.
  const { awaiting = null } = invoice.undo as Pick<Undo, 'awaiting'>
  if (awaiting !== null && invoice.status !== 'paid')
    return refuse('invoice_not_open', { invoice: id, status: 'not paid', wanted: 'credit' })
  const currency = orThrow(currencyOf(code))
  const record = invoice.record as unknown as InvoiceJson
  const earlier = (await stores.invoices.notesOf(tenant, id)).map(({ undo }) => undo as NoteUndo)
  const creditable = creditableOf(currency, invoice, earlier)
  const wanted = readWanted(currency, input.lines)
  if (isRefusal(wanted)) return wanted
  const note = decideCreditNote(creditable, wanted)
  if (isRefusal(note)) return note
  const account = orThrow(
    (await stores.credits.lock(tenant, [{ customer, currency: code }])).get(accountName(customer, code)) ??
      refuse('unknown_invoice', { invoice: id }),
  )
  const returned = input.returnsCredits ? returnedTo(invoice, earlier, creditsBack(creditable, note)) : []
  if (note.total === 0n && returned.length === 0) return refuse('nothing_to_credit', { invoice: id })
  const external = input.refund === 'balance' ? zero() : lesser(note.toBalance, input.externalMax ?? note.toBalance)
  const toBalance = minus(note.toBalance, external)
  const credits = account.credits.map((credit) => {
    const back = sum(returned.filter((burn) => burn.credit === credit.id).map(({ amount }) => amount))
    return back === 0n ? credit : { ...credit, burned: minus(credit.burned, back) }
  })
  await stores.credits.save(tenant, [
    { customer, currency: code, account: { ...account, credits, balance: plus(account.balance, toBalance) } },
  ])
  const source = `credit-note/${noteId}`
  const transactions = [
    creditNotePosted(source, note),
    refundPosted(`${source}/refund`, external),
    creditsReturnedPosted(`${source}/credits`, returned),
  ].filter(({ entries }) => entries.length > 0)
  await stores.ledger.post(
    tenant,
    transactions.map((transaction) => ({ customer, currency: code, postedAtMs: nowMs, transaction })),
  )
  const due = minus(invoice.due, note.offDue)
  const isPaid = invoice.status === 'finalised' && due === 0n
  await stores.invoices.settle(tenant, id, { status: isPaid ? 'paid' : invoice.status, due, paid: invoice.paid })
  const undo: NoteUndo = { of: id, lines: note.lines.map(({ line, net, tax }) => ({ line, net, tax })), returned }
  const made = {
    ...{ id: noteId, customer, subscription: invoice.subscription, decision: null, currency: code, closesAtMs: nowMs, due: zero(), undo },
    ...{ document: 'creditNote' as const, status: 'paid' as const },
    record: noteRecord(currency, record, note, {
      id: noteId,
      nowMs,
      reason: input.reason,
      returned: sum(returned.map(({ amount }) => amount)),
    }),
  }
  const [issued] = await issueDocuments(stores, tenant, settings, [made], nowMs)
  if (isPaid) await stores.outbox.append(tenant, [{ type: 'invoice.paid', object: id, data: invoice.record, createdAtMs: nowMs }])
  return issued ?? refuse('unknown_invoice', { invoice: id })
}

function creditableOf(currency: Currency, invoice: StoredInvoice, earlier: readonly NoteUndo[]): Creditable {
  const credited = new Map<string, Money>()
  const creditedTax = new Map<string, Money>()
  const taken = earlier.flatMap(({ lines }) => lines)
  for (const { line, net, tax = zero() } of taken) {
    credited.set(line, plus(credited.get(line) ?? zero(), net))
    creditedTax.set(line, plus(creditedTax.get(line) ?? zero(), tax))
  }
  // Notes of earlier releases did not keep their tax, which is the running share.
  const known = taken.every(({ tax }) => tax !== undefined) ? { creditedTax } : {}
  return { currency, lines: creditableLines(currency, invoice.record as unknown as InvoiceJson), credited, ...known, stillDue: invoice.due }
}

function readWanted(currency: Currency, lines: NoteInput['lines']): Outcome<Parameters<typeof decideCreditNote>[1]> {
  const wanted: { line: string; amount: Money | null; total?: Money }[] = []
  for (const [index, { line, amount: given, total }] of lines.entries()) {
    const amount = given === undefined ? null : parseMoney(currency, given)
    if (isRefusal(amount)) return refuseField(`lines[${index}].amount`, amount)
    wanted.push({ line, amount, ...(total !== undefined && { total }) })
  }
  return wanted
}

/** The amount over the credits that had paid the document, last burned first, each at most what earlier notes have left of it. */
function returnedTo(invoice: StoredInvoice, earlier: readonly NoteUndo[], amount: Money): readonly Burn[] {
  const { burns = [] } = invoice.undo as { readonly burns?: readonly Burn[] }
  const before = earlier.flatMap(({ returned }) => returned)
  const net = new Map<string, Money>()
  for (const { credit, amount: paid } of burns) net.set(credit, plus(net.get(credit) ?? zero(), paid))
  for (const { credit, amount: back } of before) net.set(credit, minus(net.get(credit) ?? zero(), back))
  let rest = amount
  return [...net].toReversed().flatMap(([credit, left]) => {
    const back = lesser(rest, left)
    if (back <= 0n) return []
    rest = minus(rest, back)
    return [{ credit, amount: back }]
  })
}
