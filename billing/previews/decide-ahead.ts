import type { CutOffs } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import { END_OF_TIME_MS, type InstantMs, type Offset, type TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import { billingStateOf } from '../runs/billing-states.ts'
import { type DecidedLife, type DecidedPage, type DecidePageDeps, decidePage, type Made } from '../runs/decide-page.ts'
import { nextClosing } from '../steps/due.ts'

export type DecideAheadDeps = Omit<DecidePageDeps, 'createInvoiceId'>

export type DecideAhead = {
  readonly tenant: TenantKey
  readonly subscription: Subscription
  /** Read before, and perhaps changed: the decisions are made as if this were how things stand. */
  readonly inputs: BillingInputs
  readonly cutOffs: CutOffs
  readonly atMs: InstantMs
  /** Whether the document after those of the instant is decided too, as of when it can be final: always, or where there are none. */
  readonly next: 'always' | 'whenNone'
}

/**
 * What a run at an instant would decide for a subscription, of the usage below the cut-offs, and the document after. Nothing is
 * stored. Refuses what a run would put the subscription aside for.
 */
export async function decideAhead(
  deps: DecideAheadDeps,
  { tenant, subscription, inputs, cutOffs, atMs, next: wanted }: DecideAhead,
): Promise<Outcome<readonly Made[]>> {
  const { id, customer } = subscription
  const decide = async (from: BillingInputs, nowMs: InstantMs, documentsMax?: number): Promise<Outcome<DecidedLife>> => {
    const page = { tenant, due: [{ subscription: id, customer }], cutOffs, nowMs, ...(documentsMax !== undefined && { documentsMax }) }
    return lifeIn(await decidePage({ ...deps, inputs: { read: async () => from }, createInvoiceId: previewId }, page))
  }
  const now = await decide(inputs, atMs)
  if (isRefusal(now)) return now
  const hasDocument = now.made.some(({ decision }) => decision.document !== null)
  if (hasDocument && wanted === 'whenNone') return now.made
  const left = { ...inputs, books: new Map([...inputs.books, [id, now.book]]) }
  const state = billingStateOf(left, id, { partition: partitionOf(tenant, customer, deps.partitions), offset: 0 as Offset })
  if (isRefusal(state)) return state
  const next = nextClosing(state)
  if (next === null || next.dueAtMs >= END_OF_TIME_MS) return now.made
  const later = await decide(left, Math.max(atMs, next.dueAtMs) as InstantMs, 1)
  return isRefusal(later) ? later : [...now.made, ...later.made]
}

/** Documents of a preview are told apart by their place. */
function previewId(_nowMs: InstantMs, decision: number): string {
  return `preview_${decision}`
}

/** The one life of a page, or why it was put aside. */
export function lifeIn({ lives, setAside }: DecidedPage): Outcome<DecidedLife> {
  const [aside] = setAside
  if (aside !== undefined) {
    if (isRefusal(aside.why)) return aside.why
    throw aside.why
  }
  const [life] = lives
  if (life === undefined) throw new Error('a page of one subscription decides it or puts it aside')
  return life
}
