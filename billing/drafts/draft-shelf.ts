import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { InvoiceDraftStore } from '../../adapters/database/invoice-drafts/invoice-draft-store.ts'
import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { Page, PageRequest } from '../../adapters/database/page.ts'
import type { Clock } from '../../base/clock.ts'
import type { InvoiceDraft, ManualLine } from '../../domain/billing/invoice-draft.ts'
import type { CustomerKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { type InvoiceJson, invoiceJson } from '../documents/invoice-json.ts'
import { addDraftLines, type DraftStores, finaliseDraft, pauseDraft, removeDraft, removeDraftLine } from './change-draft.ts'
import {
  addLinesByHand,
  type ChangeSubscriptionDraftDeps,
  finaliseSubscriptionDraft,
  pauseSubscriptionDraft,
  removeLineByHand,
} from './change-subscription-draft.ts'
import { draftNameOf } from './draft-id.ts'
import { draftView } from './draft-view.ts'
import { finalOf, subscriptionDraft, subscriptionDrafts } from './subscription-drafts.ts'

/** Every document that can be named by an id: drafts by hand, drafts of subscriptions, and final ones. */
export type DraftShelf = {
  /** Refuses `unknown_invoice`. */
  get(tenant: TenantKey, id: string): Promise<Outcome<InvoiceJson>>
  /** Drafts by hand, behind those of the subscription, or of all subscriptions of the customer, that is named: these on the first page. */
  list(tenant: TenantKey, of: DraftsOf, page: PageRequest): Promise<Outcome<Page<InvoiceJson>>>
  addLines(tenant: TenantKey, id: string, lines: readonly ManualLine[]): Promise<Outcome<InvoiceJson>>
  removeLine(tenant: TenantKey, id: string, line: string): Promise<Outcome<InvoiceJson>>
  pause(tenant: TenantKey, id: string, isPaused: boolean): Promise<Outcome<InvoiceJson>>
  /** Of drafts by hand alone: the one of a subscription is a view. */
  remove(tenant: TenantKey, id: string): Promise<Outcome<null>>
  finalise(tenant: TenantKey, id: string): Promise<Outcome<InvoiceJson>>
}

export type DraftsOf = { readonly customer?: CustomerKey | undefined; readonly subscription?: SubscriptionId | undefined }

export type DraftShelfDeps = Omit<ChangeSubscriptionDraftDeps, 'write' | 'invoices'> & {
  readonly inputs: BillingInputsReader
  readonly invoices: Pick<InvoiceStore, 'get' | 'list'>
  readonly drafts: Pick<InvoiceDraftStore, 'get' | 'list'>
  readonly write: InTransaction<DraftStores & Parameters<Parameters<ChangeSubscriptionDraftDeps['write']>[0]>[0]>
  readonly clock: Clock
}

export function createDraftShelf(deps: DraftShelfDeps): DraftShelf {
  const { inputs, invoices, drafts, write, clock } = deps
  const viewOf = async (tenant: TenantKey, draft: InvoiceDraft) =>
    draftView(await inputs.read(tenant, [draft.customer]), draft, clock.now())

  async function get(tenant: TenantKey, id: string): Promise<Outcome<InvoiceJson>> {
    const final = await invoices.get(tenant, id)
    if (final !== null) return invoiceJson(final)
    const draft = await drafts.get(tenant, id)
    if (draft !== null) return await viewOf(tenant, draft)
    const name = draftNameOf(id)
    if (name === null) return refuse('unknown_invoice', { invoice: id })
    const became = await finalOf(deps, tenant, name)
    if (became !== null) return invoiceJson(became)
    const view = await subscriptionDraft(deps, tenant, name, clock.now())
    return isRefusal(view) ? view : view.document
  }

  /** The change of a draft of a subscription, or of one by hand; then the draft as it is. */
  async function change(
    tenant: TenantKey,
    id: string,
    ofSubscription: (of: Parameters<typeof pauseSubscriptionDraft>[1]) => Promise<Outcome<null>>,
    byHand: (stores: DraftStores) => Promise<Outcome<InvoiceDraft>>,
  ): Promise<Outcome<InvoiceJson>> {
    const name = draftNameOf(id)
    if (name === null) {
      const draft = await write(byHand)
      return isRefusal(draft) ? draft : await viewOf(tenant, draft)
    }
    const changed = await ofSubscription({ tenant, name, nowMs: clock.now() })
    return isRefusal(changed) ? changed : await get(tenant, id)
  }

  async function list(tenant: TenantKey, { customer, subscription }: DraftsOf, page: PageRequest): Promise<Outcome<Page<InvoiceJson>>> {
    const read = customer === undefined ? null : await inputs.read(tenant, [customer])
    const named = subscription === undefined ? [...(read?.subscriptions.keys() ?? [])] : [subscription]
    const views: InvoiceJson[] = []
    for (const id of page.cursor === undefined ? named : []) {
      const own = await subscriptionDrafts(deps, tenant, id, clock.now())
      if (isRefusal(own)) return own
      views.push(...own.map(({ document }) => document))
    }
    if (subscription !== undefined) return { data: views, nextCursor: null }
    const { data, nextCursor } = await drafts.list(tenant, customer, page)
    const byHand = await inputs.read(tenant, [...new Set(data.map((draft) => draft.customer))])
    return { data: [...views, ...data.map((draft) => draftView(byHand, draft, clock.now()))], nextCursor }
  }

  return {
    get,
    list,
    addLines: (tenant, id, lines) =>
      change(
        tenant,
        id,
        (of) => addLinesByHand(deps, of, lines),
        (stores) => addDraftLines(stores, { tenant, id }, lines),
      ),
    removeLine: (tenant, id, line) =>
      change(
        tenant,
        id,
        (of) => removeLineByHand(deps, of, line),
        (stores) => removeDraftLine(stores, { tenant, id }, line),
      ),
    pause: (tenant, id, isPaused) =>
      change(
        tenant,
        id,
        (of) => pauseSubscriptionDraft(deps, of, isPaused),
        (stores) => pauseDraft(stores, { tenant, id }, isPaused),
      ),
    async remove(tenant, id) {
      if (draftNameOf(id) !== null) return refuse('draft_of_subscription', { invoice: id })
      const removed = await write((stores) => removeDraft(stores, { tenant, id }))
      return isRefusal(removed) ? removed : null
    },
    async finalise(tenant, id) {
      const name = draftNameOf(id)
      const draft = name === null ? await drafts.get(tenant, id) : null
      const read = await inputs.read(tenant, draft === null ? [] : [draft.customer])
      const nowMs = clock.now()
      const final: Outcome<StoredInvoice> =
        name === null
          ? await write((stores) => finaliseDraft(stores, { tenant, id }, read, nowMs))
          : await finaliseSubscriptionDraft(deps, { tenant, name, nowMs })
      return isRefusal(final) ? final : invoiceJson(final)
    },
  }
}
