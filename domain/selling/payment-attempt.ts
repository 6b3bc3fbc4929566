import type { Money } from '../billing/money.ts'

export const ATTEMPT_STATES = ['created', 'sent', 'actionRequired', 'declined', 'canceled', 'succeeded'] as const
export type AttemptState = (typeof ATTEMPT_STATES)[number]
export const DISPUTE_STATES = ['none', 'open', 'won', 'lost'] as const
export type DisputeState = (typeof DISPUTE_STATES)[number]

/** One try to collect the money of a sale, as far as it is known. */
export type Attempt = {
  readonly id: string
  readonly currency: string
  readonly amount: Money
  readonly state: AttemptState
  /** Running total of what the provider says went back. */
  readonly refunded: Money
  readonly dispute: DisputeState
  /** It paid the sale. */
  readonly isCounted: boolean
}

export const NOTICE_EFFECTS = [
  'actionRequired',
  'declined',
  'canceled',
  'succeeded',
  'refunded',
  'disputeOpened',
  'disputeWon',
  'disputeLost',
] as const
export type NoticeEffect = (typeof NOTICE_EFFECTS)[number]

/** What a provider tells of an attempt. `amount` is that of the payment; `refunded` a running total. */
export type PaymentNotice = {
  readonly id: string
  readonly attempt: string
  readonly effect: NoticeEffect
  readonly currency: string
  readonly amount: Money
  readonly refunded?: Money
}
