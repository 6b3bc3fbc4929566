import type { CutOffs, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import { END_OF_TIME_MS, type InstantMs, type TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'
import { billingStateOf } from '../runs/billing-states.ts'
import { type DecidedLife, type DecidedPage, type DecidePageDeps, decidePage } from '../runs/decide-page.ts'
import { frozenRecord } from '../runs/frozen-record.ts'
import { nextClosing } from '../steps/due.ts'

export type PreviewDeps = Omit<DecidePageDeps, 'createInvoiceId'> & { readonly usageStore: Pick<UsageStore, 'positions'> }

export type PreviewRequest = {
  readonly tenant: TenantKey
  /** As it is, or as a change would leave it. */
  readonly subscription: Subscription
  readonly inputs: BillingInputs
  readonly atMs: InstantMs
}

/**
 * The documents that a run at an instant would make final for a subscription, of the usage counted by now; where it would make none, the
 * next one, of the instant from which it can be final. By the decision of the run itself, and nothing is stored. Refuses what a run
 * would put the subscription aside for.
 */
export async function previewDocuments(
  deps: PreviewDeps,
  { tenant, subscription, inputs, atMs }: PreviewRequest,
): Promise<Outcome<readonly InvoiceRecord[]>> {
  const cutOffs: CutOffs = await deps.usageStore.positions()
  const { id, customer } = subscription
  const decide = async (from: BillingInputs, nowMs: InstantMs, documentsMax?: number): Promise<Outcome<DecidedLife>> => {
    const page = { tenant, due: [{ subscription: id, customer }], cutOffs, nowMs, ...(documentsMax !== undefined && { documentsMax }) }
    return lifeIn(await decidePage({ ...deps, inputs: { read: async () => from }, createInvoiceId: draftId }, page))
  }
  const now = await decide(inputs, atMs)
  if (isRefusal(now)) return now
  const documents = recordsOf(inputs, now)
  if (documents.length > 0) return documents
  const left = { ...inputs, books: new Map([...inputs.books, [id, now.book]]) }
  const partition = partitionOf(tenant, customer, deps.partitions)
  const state = billingStateOf(left, id, { partition, offset: 0 })
  if (isRefusal(state)) return state
  const next = nextClosing(state)
  if (next === null || next.dueAtMs >= END_OF_TIME_MS) return []
  const later = await decide(left, Math.max(atMs, next.dueAtMs) as InstantMs, 1)
  return isRefusal(later) ? later : recordsOf(inputs, later)
}

/** A preview's documents are told apart by their place. */
function draftId(_nowMs: InstantMs, decision: number): string {
  return `preview_${decision}`
}

function lifeIn({ lives, setAside }: DecidedPage): Outcome<DecidedLife> {
  const [aside] = setAside
  if (aside !== undefined) {
    if (isRefusal(aside.why)) return aside.why
    throw aside.why
  }
  const [life] = lives
  if (life === undefined) throw new Error('a page of one subscription decides it or puts it aside')
  return life
}

function recordsOf(inputs: BillingInputs, { made }: DecidedLife): readonly InvoiceRecord[] {
  return made.flatMap(({ state, decision: { document } }) => (document === null ? [] : [frozenRecord(inputs, state, document)]))
}
