import { type Money, minus } from '../../domain/billing/money.ts'
import {
  ATTEMPT_STATES,
  type Attempt,
  type AttemptState,
  type DisputeState,
  type NoticeEffect,
  type PaymentNotice,
} from '../../domain/selling/payment-attempt.ts'

export const SET_ASIDE_REASONS = ['unknown_attempt', 'currency_mismatch', 'amount_mismatch'] as const
export type SetAsideReason = (typeof SET_ASIDE_REASONS)[number]

/** What a notice comes to, in the order in which it is written. */
export type SaleFact =
  | { readonly type: 'setAside'; readonly reason: SetAsideReason }
  | { readonly type: 'climbed'; readonly attempt: Attempt }
  | { readonly type: 'failed'; readonly attempt: Attempt }
  | { readonly type: 'actionRequired'; readonly attempt: Attempt }
  /** The first money: document, payment, order, deliverables. */
  | { readonly type: 'paid'; readonly attempt: Attempt }
  /** Money for what is paid already goes back to the payer. */
  | { readonly type: 'returned'; readonly attempt: Attempt }
  /** `amount` more than before went back; `isFull`: nothing is left. */
  | { readonly type: 'refunded'; readonly amount: Money; readonly isFull: boolean; readonly isDispute: boolean }
  | { readonly type: 'disputed' }
  | { readonly type: 'disputeWon' }

/**
 * A notice about one of the sale's attempts. An attempt only climbs, a refund or dispute implies the payment that it names, refunds
 * are running totals, and a closed dispute beats an open one: so notices in any order and number end in the same state. `credited` is
 * what of the counted payment went back by earlier facts.
 */
export function decideNotice(attempts: readonly Attempt[], credited: Money, notice: PaymentNotice): readonly SaleFact[] {
  const before = attempts.find(({ id }) => id === notice.attempt)
  if (before === undefined) return [{ type: 'setAside', reason: 'unknown_attempt' }]
  if (notice.currency !== before.currency) return [{ type: 'setAside', reason: 'currency_mismatch' }]
  if (notice.amount !== before.amount) return [{ type: 'setAside', reason: 'amount_mismatch' }]
  const paysNow = before.state !== 'succeeded' && impliesPayment(notice.effect)
  const isFirst = paysNow && !attempts.some(({ isCounted }) => isCounted)
  const after = { ...climbed(before, notice), isCounted: before.isCounted || isFirst }
  if (isSame(before, after)) return []
  const facts: SaleFact[] = [{ type: 'climbed', attempt: after }]
  if (after.state !== before.state && (after.state === 'declined' || after.state === 'canceled'))
    facts.push({ type: 'failed', attempt: after })
  if (after.state !== before.state && after.state === 'actionRequired') facts.push({ type: 'actionRequired', attempt: after })
  if (paysNow) facts.push({ type: isFirst ? 'paid' : 'returned', attempt: after })
  return after.isCounted ? [...facts, ...afterPayment(before, after, credited)] : facts
}

function afterPayment(before: Attempt, after: Attempt, credited: Money): readonly SaleFact[] {
  const { amount, refunded, dispute } = after
  const isOver = credited >= amount
  if (isOver) return []
  if (dispute !== before.dispute && dispute === 'lost') {
    return [{ type: 'refunded', amount: minus(amount, credited), isFull: true, isDispute: true }]
  }
  if (dispute !== before.dispute && dispute === 'open') return [{ type: 'disputed' }]
  if (dispute === 'won' && before.dispute === 'open') return [{ type: 'disputeWon' }]
  if (refunded <= credited) return []
  return [{ type: 'refunded', amount: minus(refunded, credited), isFull: refunded >= amount, isDispute: false }]
}

function climbed(attempt: Attempt, { effect, refunded }: PaymentNotice): Attempt {
  const state = stateOf(effect)
  const dispute = disputeOf(effect)
  return {
    ...attempt,
    state: rank(ATTEMPT_STATES, state) > rank(ATTEMPT_STATES, attempt.state) ? state : attempt.state,
    dispute: dispute === 'open' ? (attempt.dispute === 'none' ? 'open' : attempt.dispute) : (dispute ?? attempt.dispute),
    refunded: refunded !== undefined && refunded > attempt.refunded ? refunded : attempt.refunded,
  }
}

function stateOf(effect: NoticeEffect): AttemptState {
  return effect === 'actionRequired' || effect === 'declined' || effect === 'canceled' ? effect : 'succeeded'
}

function disputeOf(effect: NoticeEffect): DisputeState | null {
  if (effect === 'disputeOpened') return 'open'
  if (effect === 'disputeWon') return 'won'
  return effect === 'disputeLost' ? 'lost' : null
}

function impliesPayment(effect: NoticeEffect): boolean {
  return stateOf(effect) === 'succeeded'
}

function rank(states: readonly AttemptState[], state: AttemptState): number {
  return states.indexOf(state)
}

function isSame(a: Attempt, b: Attempt): boolean {
  return a.state === b.state && a.refunded === b.refunded && a.dispute === b.dispute
}
