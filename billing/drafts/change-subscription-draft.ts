import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { SubscriptionDraftStore } from '../../adapters/database/invoice-drafts/subscription-draft-store.ts'
import type { StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { ManualLine, SubscriptionDraft } from '../../domain/billing/invoice-draft.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { BILLING_BOUNDS } from '../billing-bounds.ts'
import { lifeIn } from '../previews/decide-ahead.ts'
import { type BookStores, bookPage } from '../runs/book-page.ts'
import { type CutOffDeps, readCutOffs } from '../runs/cut-offs.ts'
import { decidePage } from '../runs/decide-page.ts'
import { DOCUMENTS_PER_RUN_MAX } from '../steps/decide-invoice.ts'
import { type DraftName, draftId } from './draft-id.ts'
import { finalOf, keptOf, type SubscriptionDraftsDeps, subscriptionDraft, subscriptionDrafts, withoutHold } from './subscription-drafts.ts'

export type ChangeSubscriptionDraftDeps = Omit<SubscriptionDraftsDeps, 'usageStore'> &
  CutOffDeps & {
    readonly write: InTransaction<BookStores & { readonly subscriptionDrafts: SubscriptionDraftStore }>
    createInvoiceId(nowMs: InstantMs, decision: number): string
  }

export type OfSubscriptionDraft = { readonly tenant: TenantKey; readonly name: DraftName; readonly nowMs: InstantMs }

/** Refuses `too_many_lines`, and as all of these `unknown_invoice` and `invoice_final`. */
export async function addLinesByHand(
  deps: ChangeSubscriptionDraftDeps,
  of: OfSubscriptionDraft,
  lines: readonly ManualLine[],
): Promise<Outcome<null>> {
  const linesMax = BILLING_BOUNDS.draftLines.most
  return await change(deps, of, (draft) => {
    const all = [...draft.lines, ...lines]
    if (all.length > linesMax) return refuse('too_many_lines', { invoice: draftId(of.name), lines: all.length, linesMax })
    return { ...draft, lines: all }
  })
}

/** Removes the line that stands there; only lines by hand are. Refuses `unknown_line`. */
export async function removeLineByHand(deps: ChangeSubscriptionDraftDeps, of: OfSubscriptionDraft, line: string): Promise<Outcome<null>> {
  const view = await subscriptionDraft(deps, of.tenant, of.name, of.nowMs)
  if (isRefusal(view)) return view
  const byHand = view.document.lines.filter(({ kind }) => kind === 'manual')
  const index = byHand.findIndex((each) => each.line === line)
  if (index < 0) return refuse('unknown_line', { line })
  return await change(deps, of, (draft) => ({ ...draft, lines: draft.lines.filter((_, at) => at !== index) }))
}

export async function pauseSubscriptionDraft(
  deps: ChangeSubscriptionDraftDeps,
  of: OfSubscriptionDraft,
  isPaused: boolean,
): Promise<Outcome<null>> {
  return await change(deps, of, (draft) => ({ ...draft, isPaused }))
}

/**
 * Makes the draft final without waiting for the grace, by the decision and the transaction of a run. Refuses `invoice_paused`,
 * `earlier_invoice_open`, `period_not_over`, and `usage_behind` while the usage store has not read all that was acknowledged.
 */
export async function finaliseSubscriptionDraft(
  deps: ChangeSubscriptionDraftDeps,
  { tenant, name, nowMs }: OfSubscriptionDraft,
): Promise<Outcome<StoredInvoice>> {
  const view = await subscriptionDraft(deps, tenant, name, nowMs)
  if (isRefusal(view)) return view
  const invoice = draftId(name)
  if (view.isPaused) return refuse('invoice_paused', { invoice })
  const drafts = await subscriptionDrafts(deps, tenant, name.subscription, nowMs)
  if (isRefusal(drafts)) return drafts
  const [first] = drafts
  if (first !== undefined && draftId(first) !== invoice) return refuse('earlier_invoice_open', { invoice, earlier: draftId(first) })
  if (name.closesAtMs > nowMs) return refuse('period_not_over', { invoice, closesAtMs: name.closesAtMs })
  const customer = view.document.customer as SubscriptionCustomer
  const { cutOffs, behind } = await readCutOffs(deps)
  if (behind.includes(partitionOf(tenant, customer, deps.partitions))) return refuse('usage_behind', {})
  // Decisions without a document may come before it; whoever else bills it meanwhile makes the same one.
  for (let decided = 0; decided < DOCUMENTS_PER_RUN_MAX; decided++) {
    const inputs = { read: async () => withoutHold(await deps.inputs.read(tenant, [customer])) }
    const due = [{ subscription: name.subscription, customer }]
    const page = await decidePage({ ...deps, inputs }, { tenant, due, cutOffs, nowMs, documentsMax: 1 })
    const life = lifeIn(page)
    if (isRefusal(life)) return life
    if (life.made.length > 0) await bookPage(deps.write, tenant, page, nowMs)
    const final = await finalOf(deps, tenant, name)
    if (final !== null) return final
    if (life.made.length === 0) break
  }
  return refuse('unknown_invoice', { invoice })
}

type SubscriptionCustomer = Parameters<typeof partitionOf>[1]

/** What people added is changed in the transaction that makes runs look at the subscription anew. */
async function change(
  deps: ChangeSubscriptionDraftDeps,
  { tenant, name, nowMs }: OfSubscriptionDraft,
  decide: (draft: SubscriptionDraft) => Outcome<SubscriptionDraft>,
): Promise<Outcome<null>> {
  const view = await subscriptionDraft(deps, tenant, name, nowMs)
  if (isRefusal(view)) return view
  return await deps.write(async ({ cursors, subscriptionDrafts: stored }) => {
    await cursors.lock(tenant, [name.subscription])
    const { closesAtMs, kind } = name
    const kept = keptOf(await stored.of(tenant, name.subscription), name) ?? { closesAtMs, kind, isPaused: false, lines: [] }
    const changed = decide(kept)
    if (isRefusal(changed)) return changed
    await stored.put(tenant, name.subscription, changed)
    return null
  })
}
