import type { InvoiceDraftStore } from '../../adapters/database/invoice-drafts/invoice-draft-store.ts'
import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { accountName } from '../../domain/billing/billing-inputs.ts'
import type { InvoiceDraft, ManualLine } from '../../domain/billing/invoice-draft.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { BILLING_BOUNDS } from '../billing-bounds.ts'
import { NO_ACCOUNT } from '../runs/billing-states.ts'
import type { BookStores } from '../runs/book-page.ts'
import { issueDocuments } from '../runs/issue-documents.ts'
import { type DraftInputs, priceDraft } from './price-draft.ts'

export type DraftStores = BookStores & { readonly drafts: InvoiceDraftStore }
export type OfDraft = { readonly tenant: TenantKey; readonly id: string }

/** Refuses `too_many_lines`, and as all of these `unknown_invoice`, and `invoice_final` for a document that is no draft any more. */
export async function addDraftLines(stores: DraftStores, of: OfDraft, lines: readonly ManualLine[]): Promise<Outcome<InvoiceDraft>> {
  return await change(stores, of, (draft) => {
    const linesMax = BILLING_BOUNDS.draftLines.most
    const all = [...draft.lines, ...lines]
    if (all.length > linesMax) return refuse('too_many_lines', { invoice: of.id, lines: all.length, linesMax })
    return { ...draft, lines: all }
  })
}

/** Later lines move up. Refuses `unknown_line`. */
export async function removeDraftLine(stores: DraftStores, of: OfDraft, line: string): Promise<Outcome<InvoiceDraft>> {
  return await change(stores, of, (draft) => {
    const index = Number(line) - 1
    if (draft.lines[index] === undefined) return refuse('unknown_line', { line })
    return { ...draft, lines: draft.lines.filter((_, at) => at !== index) }
  })
}

export async function pauseDraft(stores: DraftStores, of: OfDraft, isPaused: boolean): Promise<Outcome<InvoiceDraft>> {
  return await change(stores, of, (draft) => ({ ...draft, isPaused }))
}

export async function removeDraft(stores: DraftStores, of: OfDraft): Promise<Outcome<InvoiceDraft>> {
  const draft = await lockDraft(stores, of)
  if (!isRefusal(draft)) await stores.drafts.remove(of.tenant, of.id)
  return draft
}

/**
 * Makes a draft final: numbered, posted, and, of a top-up, with its credit. `inputs` were read before, and decide nothing of the
 * customer's money, which is locked here. Refuses `invoice_paused`, `draft_empty`, `credit_id_taken`.
 */
export async function finaliseDraft(
  stores: DraftStores,
  of: OfDraft,
  inputs: DraftInputs,
  nowMs: InstantMs,
): Promise<Outcome<StoredInvoice>> {
  const { tenant, id } = of
  const draft = await lockDraft(stores, of)
  if (isRefusal(draft)) return draft
  const { customer, currency, isPaused, lines } = draft
  if (isPaused) return refuse('invoice_paused', { invoice: id })
  if (lines.length === 0) return refuse('draft_empty', { invoice: id })
  const account = (await stores.credits.lock(tenant, [{ customer, currency }])).get(accountName(customer, currency)) ?? NO_ACCOUNT
  const credit = draft.credit?.id
  if (account.credits.some((each) => each.id === credit)) return refuse('credit_id_taken', { credit: credit ?? '', customer })
  const { decision, record } = priceDraft(inputs, account, draft, nowMs)
  const { document, purse, granted, awaiting, transactions } = decision
  await stores.credits.save(tenant, [{ customer, currency, account: { ...account, balance: purse.balance, credits: purse.credits } }])
  await stores.ledger.post(
    tenant,
    transactions.map((transaction) => ({ customer, currency, postedAtMs: nowMs, transaction })),
  )
  await stores.drafts.remove(tenant, id)
  const undo = {
    ...{ document: document.document, total: document.total, balanceApplied: document.balanceApplied },
    ...{ burns: [], couponsUsed: [], transactions, sold: granted?.id ?? null, awaiting },
  }
  const made = {
    ...{ id, customer, subscription: null, decision: null, currency, closesAtMs: nowMs, due: document.due, undo, record },
    ...{ document: document.document, status: document.due === 0n ? ('paid' as const) : ('finalised' as const) },
  }
  const [issued] = await issueDocuments(stores, tenant, inputs.settings, [made], nowMs)
  return issued ?? refuse('unknown_invoice', { invoice: id })
}

/** The draft with its row locked; a document that is final already is told apart from one that there is not. */
async function lockDraft({ drafts, invoices }: DraftStores, { tenant, id }: OfDraft): Promise<Outcome<InvoiceDraft>> {
  const draft = await drafts.lock(tenant, id)
  return draft ?? (await refuseFinal(invoices, tenant, id))
}

async function refuseFinal(invoices: Pick<InvoiceStore, 'get'>, tenant: TenantKey, id: string): Promise<Outcome<never>> {
  const final = await invoices.get(tenant, id)
  return final === null ? refuse('unknown_invoice', { invoice: id }) : refuse('invoice_final', { invoice: id, status: final.status })
}

async function change(
  stores: DraftStores,
  of: OfDraft,
  decide: (draft: InvoiceDraft) => Outcome<InvoiceDraft>,
): Promise<Outcome<InvoiceDraft>> {
  const draft = await lockDraft(stores, of)
  const changed = isRefusal(draft) ? draft : decide(draft)
  if (!isRefusal(changed)) await stores.drafts.change(of.tenant, changed)
  return changed
}
