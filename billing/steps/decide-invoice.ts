import { zip } from '../../base/zip.ts'
import type { BilledPart, Burn } from '../../domain/billing/billed.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import type { LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import { sum } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import { expire } from '../credits/expiry.ts'
import { grantPlanCredits } from '../credits/plan-credits.ts'
import { reconcileBaseFees } from './base-fees.ts'
import { baseLines } from './base-lines.ts'
import type { BillingState, UsageOf } from './billing-state.ts'
import { commitmentLine, committedAfter } from './commitment-line.ts'
import { type Draft, inDocumentOrder } from './draft.ts'
import { type Closing, closingDue, thresholdClosing } from './due.ts'
import { isPaused, linesByHand } from './manual-lines.ts'
import { partsSince, partsSoFar, partsToCount } from './plan-parts.ts'
import { documentOf, transactionsOf } from './post.ts'
import { pricePart } from './price-parts.ts'
import { feesAfter, partsAfter } from './remember.ts'
import { type Purse, settle } from './settle.ts'

/** The most documents of one subscription in a run; the rest is due in the next. */
export const DOCUMENTS_PER_RUN_MAX = 60

/**
 * The documents of one subscription that can be made final now, oldest first, each from the state that the one before leaves
 * behind. Pure: the same state, instant and usage make the same decisions. Refuses `currency_mismatch` when a plan of the
 * subscription has another currency. `invoiceIds` gives an id for each document.
 */
export function decideInvoice<C extends string>(
  state: BillingState<C>,
  nowMs: InstantMs,
  usage: UsageOf,
  invoiceIds: (index: number) => string,
): Outcome<readonly Decision<C>[]> {
  const decisions: Decision<C>[] = []
  let current = state
  while (decisions.length < DOCUMENTS_PER_RUN_MAX) {
    const decision = decideNext(current, nowMs, usage, invoiceIds(decisions.length))
    if (isRefusal(decision)) return decision
    if (decision === null) break
    decisions.push(decision)
    current = evolve(current, decision)
  }
  return decisions
}

/** The changes of one document. The cursor also moves when nothing was billed and there is no document. */
export type Decision<C extends string = string> = BillingBook<C> & {
  readonly closing: Closing
  readonly document: InvoiceDocument<C> | null
  readonly purse: Purse<C>
  /** Parts that no document counts by itself any more. */
  readonly closedParts: readonly BilledPart<C>[]
  readonly couponsUsed: readonly string[]
  /** What each credit paid on the document, or got back. */
  readonly burns: readonly Burn<C>[]
  /** The document's own: a void reverses these. */
  readonly documentTransactions: readonly LedgerTransaction<C>[]
  /** Credits that ended, and credits that the plan granted. */
  readonly creditTransactions: readonly LedgerTransaction<C>[]
}

export function evolve<C extends string>(state: BillingState<C>, decision: Decision<C>): BillingState<C> {
  const { cursor, baseFees, parts, committed, purse } = decision
  return { ...state, cursor, baseFees, parts, committed, purse }
}

/** The next document, or null when none can be made final: none is due, or somebody holds the next one back. */
export function decideNext<C extends string>(
  state: BillingState<C>,
  nowMs: InstantMs,
  usage: UsageOf,
  invoiceId: string,
): Outcome<Decision<C> | null> {
  const other = state.planVersions.find(({ currency }) => currency !== state.currency.code)
  if (other !== undefined) {
    const { plan, currency: planCurrency } = other
    return refuse('currency_mismatch', { subscription: state.subscription.id, currency: state.currency.code, plan, planCurrency })
  }
  const closing = closingDue(state, nowMs)
  if (closing !== null && isPaused(state, closing)) return null
  if (closing !== null) return decide(state, closing, draftsOf(state, closing, nowMs, usage), nowMs, invoiceId)
  const threshold = thresholdClosing(state, nowMs)
  if (threshold === null) return null
  const drafts = partsSoFar(state, nowMs)
    .flatMap((part) => pricePart(state, part, nowMs, usage))
    .filter(({ line }) => line.kind !== 'trueUp')
  const unbilled = sum(drafts.map(({ line }) => line.amount))
  return unbilled > 0n && unbilled >= threshold.amount ? decide(state, threshold.closing, drafts, nowMs, invoiceId) : null
}

/**
 * A document over usage of times long billed, whose late window has closed: parts that end after an instant are counted again. Null
 * when they come to what was billed.
 */
export function decideLate<C extends string>(
  state: BillingState<C>,
  sinceMs: InstantMs,
  nowMs: InstantMs,
  usage: UsageOf,
  invoiceId: string,
): Decision<C> | null {
  const { baseBilledToMs, usageBilledToMs: usageToMs } = state.cursor
  if (baseBilledToMs === null) return null
  const closing: Closing = {
    ...{ kind: 'adjustment', closesAtMs: nowMs, dueAtMs: nowMs, baseToMs: baseBilledToMs, usageToMs, recounts: true },
  }
  const drafts = partsSince(state, sinceMs).flatMap((part) => pricePart(state, part, nowMs, usage))
  const decision = decide(state, closing, [...drafts, ...commitmentLine(state, closing, drafts, nowMs)], nowMs, invoiceId)
  return decision.document === null ? null : decision
}

function draftsOf<C extends string>(state: BillingState<C>, closing: Closing, nowMs: InstantMs, usage: UsageOf): readonly Draft<C>[] {
  const due = { fromMs: state.cursor.usageBilledToMs, closesAtMs: closing.closesAtMs, toMs: closing.baseToMs }
  const fees = baseLines(state, reconcileBaseFees(state, state.currency, state.baseFees, due), nowMs)
  const drafts = [...fees, ...partsToCount(state, closing).flatMap((part) => pricePart(state, part, nowMs, usage))]
  return [...drafts, ...commitmentLine(state, closing, drafts, nowMs), ...linesByHand(state, closing)]
}

function decide<C extends string>(
  state: BillingState<C>,
  closing: Closing,
  unordered: readonly Draft<C>[],
  nowMs: InstantMs,
  invoiceId: string,
): Decision<C> {
  const drafts = inDocumentOrder(unordered)
  const settled = settle(
    drafts.map(({ line }) => line),
    state.purse,
  )
  const document = documentOf(state, closing, settled, nowMs, invoiceId)
  const remembered = zip(drafts, settled.lines).map(([{ of }, line]) => ({ of, line }))
  const id = document?.id ?? null
  const source = `${state.subscription.id}/${state.cursor.version + 1}`
  const billedToMs = Math.min(closing.usageToMs, state.othersBilledToMs) as InstantMs
  const expired = expire(settled.credits, billedToMs, source)
  const granted = grantPlanCredits(state, closing)
  const parts = partsAfter(state, closing, remembered, nowMs, id)
  return {
    closing,
    document,
    cursor: { baseBilledToMs: closing.baseToMs, usageBilledToMs: closing.usageToMs, version: state.cursor.version + 1 },
    baseFees: feesAfter(state, closing, remembered, id),
    ...{ parts: parts.open, closedParts: parts.closed },
    committed: committedAfter(state, remembered, id),
    purse: {
      credits: [...expired.credits, ...granted.credits],
      coupons: document === null ? state.purse.coupons : usedUp(state.purse, settled.couponsUsed),
      balance: settled.balance,
    },
    couponsUsed: settled.couponsUsed,
    burns: settled.lines.flatMap(({ burns }) => burns),
    documentTransactions: transactionsOf(document, settled),
    creditTransactions: [...expired.transactions, ...granted.transactions],
  }
}

function usedUp<C extends string>({ coupons }: Purse<C>, used: readonly string[]): Purse<C>['coupons'] {
  return coupons.map((coupon) =>
    coupon.usesLeft === null || !used.includes(coupon.id) ? coupon : { ...coupon, usesLeft: coupon.usesLeft - 1 },
  )
}
