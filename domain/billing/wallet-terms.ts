import type { Money } from './money.ts'

/** How a customer's credits in one currency behave. */
export type WalletTerms<C extends string = string> = {
  /** `soft`: usage goes on, and the rest is due on the invoice. `hard`: charged features are refused when nothing is available. */
  readonly atZero: 'soft' | 'hard'
  readonly topUp: TopUpTerms<C> | null
}

/** When less than `below` is available, credits are sold in multiples of `amount`: up to `upTo`, or until `below` is reached again. */
export type TopUpTerms<C extends string = string> = {
  readonly below: Money<C>
  readonly amount: Money<C>
  readonly upTo: Money<C> | null
  /** Requests in a day. */
  readonly perDayMax: number
  /** When the credits of a request appear. */
  readonly grantOn: GrantOn
}

/** When a sold credit appears: with the payment of its invoice, or as soon as that is final. */
export const GRANT_ON = ['paid', 'finalised'] as const
export type GrantOn = (typeof GRANT_ON)[number]

export const WALLET_TERMS_DEFAULT: WalletTerms = { atZero: 'soft', topUp: null }
