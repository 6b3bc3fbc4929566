import type { SubscriptionDraftStore } from '../../adapters/database/invoice-drafts/subscription-draft-store.ts'
import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { DocumentKind } from '../../domain/billing/invoice.ts'
import type { SubscriptionDraft } from '../../domain/billing/invoice-draft.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { draftJson, type InvoiceJson } from '../documents/invoice-json.ts'
import { type DecideAheadDeps, decideAhead } from '../previews/decide-ahead.ts'
import { recordOf } from '../previews/preview-documents.ts'
import { type DraftName, draftId } from './draft-id.ts'

export type SubscriptionDraftsDeps = DecideAheadDeps & {
  readonly subscriptions: Pick<SubscriptionStore, 'get'>
  readonly subscriptionDrafts: Pick<SubscriptionDraftStore, 'of'>
  readonly invoices: Pick<InvoiceStore, 'list'>
  readonly usageStore: Pick<UsageStore, 'positions'>
}

/** A document of a subscription that is not final, as it would be now. */
export type DraftView = DraftName & { readonly isPaused: boolean; readonly document: InvoiceJson }

/**
 * The drafts of a subscription, oldest first: those whose time is over, and the one of the period under way. They are final in this order.
 * Refuses `unknown_subscription`, and what a run would put the subscription aside for.
 */
export async function subscriptionDrafts(
  deps: SubscriptionDraftsDeps,
  tenant: TenantKey,
  id: SubscriptionId,
  nowMs: InstantMs,
): Promise<Outcome<readonly DraftView[]>> {
  const subscription = await deps.subscriptions.get(tenant, id)
  if (subscription === null) return refuse('unknown_subscription', { subscription: id })
  const read = await deps.inputs.read(tenant, [subscription.customer])
  const inputs = withoutHold(read)
  const cutOffs = await deps.usageStore.positions()
  const made = await decideAhead(deps, { tenant, subscription, inputs, cutOffs, atMs: nowMs, next: 'always' })
  if (isRefusal(made)) return made
  return made.flatMap((each) => {
    const { closesAtMs, kind } = each.decision.closing
    const name = { subscription: id, closesAtMs, kind }
    const paused = keptOf(read.drafts.get(id), name)?.isPaused ?? false
    // A threshold is looked at anew every minute: what it would bill has no draft that could be told apart from the next one's.
    if (kind === 'threshold') return []
    return recordOf(inputs, each).map((record) => {
      return { ...name, isPaused: paused, document: { ...draftJson({ ...record, id: draftId(name) }), paused } }
    })
  })
}

/** One of them. A document that is final already is told apart from one that there is not. */
export async function subscriptionDraft(
  deps: SubscriptionDraftsDeps,
  tenant: TenantKey,
  name: DraftName,
  nowMs: InstantMs,
): Promise<Outcome<DraftView>> {
  const drafts = await subscriptionDrafts(deps, tenant, name.subscription, nowMs)
  if (isRefusal(drafts)) return drafts.code === 'unknown_subscription' ? refuse('unknown_invoice', { invoice: draftId(name) }) : drafts
  const found = drafts.find((each) => each.closesAtMs === name.closesAtMs && each.kind === name.kind)
  if (found !== undefined) return found
  const final = await finalOf(deps, tenant, name)
  return final === null
    ? refuse('unknown_invoice', { invoice: draftId(name) })
    : refuse('invoice_final', { invoice: final.id, status: final.status })
}

/** The document that the draft has become; null when there is none. */
export async function finalOf(
  { invoices }: Pick<SubscriptionDraftsDeps, 'invoices'>,
  tenant: TenantKey,
  { subscription, closesAtMs, kind }: DraftName,
): Promise<StoredInvoice | null> {
  const filter = { subscription, fromMs: closesAtMs, toMs: (closesAtMs + 1) as InstantMs }
  const { data } = await invoices.list(tenant, filter, { limit: DOCUMENTS_AT_ONCE_MAX })
  return data.findLast(({ record, status }) => record.kind === kind && status !== 'void') ?? null
}

/** Documents of a subscription that close at one instant: few, but for voids. */
const DOCUMENTS_AT_ONCE_MAX = 100

/** As things stand when somebody makes a draft final: the grace is over, and nothing is held back. */
export function withoutHold(inputs: BillingInputs): BillingInputs {
  const customers = [...inputs.customers].map(([key, customer]) => [key, { ...customer, graceMs: 0 }] as const)
  const drafts = [...inputs.drafts].map(([id, own]) => [id, own.map((draft) => ({ ...draft, isPaused: false }))] as const)
  return { ...inputs, settings: { ...inputs.settings, graceMs: 0 }, customers: new Map(customers), drafts: new Map(drafts) }
}

export function keptOf(
  drafts: readonly SubscriptionDraft[] | undefined,
  { closesAtMs, kind }: { readonly closesAtMs: InstantMs; readonly kind: DocumentKind },
): SubscriptionDraft | undefined {
  return drafts?.find((each) => each.closesAtMs === closesAtMs && each.kind === kind)
}
