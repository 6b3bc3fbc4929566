import type { CustomerKey, InstantMs } from '../identity.ts'
import type { Credit } from './credit.ts'
import type { DocumentKind } from './invoice.ts'
import type { GrantOn } from './wallet-terms.ts'

/** A line by hand: quantity x unitAmount, rounded once. `unitAmount` is a decimal string in the major unit. */
export type ManualLine = {
  readonly description: string
  readonly quantityNano: bigint
  readonly unitAmount: string
  /** Absent: the customer's rates, else the tenant's. */
  readonly taxRates?: readonly string[]
}

export type SoldCredit<C extends string = string> = Omit<Credit<C>, 'paid'> & { readonly grantOn: GrantOn }

/** A document by hand that is not final yet: its lines are priced at every read, and it may still be changed and removed. */
export type InvoiceDraft = {
  /** The final document keeps it. */
  readonly id: string
  readonly customer: CustomerKey
  readonly currency: string
  /** Not made final while it is paused. */
  readonly isPaused: boolean
  readonly lines: readonly ManualLine[]
  /** The credit that a top-up sells. What is paid for it is the sum of the lines without tax, known when it is final. */
  readonly credit: SoldCredit | null
  readonly createdAtMs: InstantMs
}

/** What people added to the draft of one document of a subscription, whose own lines are counted and priced at every read. */
export type SubscriptionDraft = {
  readonly closesAtMs: InstantMs
  readonly kind: DocumentKind
  /** Not made final while it is paused, and none after it. */
  readonly isPaused: boolean
  readonly lines: readonly ManualLine[]
}
