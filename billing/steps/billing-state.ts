import type { CutOff } from '../../domain/billing/billed.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import type { SubscriptionDraft } from '../../domain/billing/invoice-draft.ts'
import type { Currency } from '../../domain/billing/money.ts'
import type { Charge, PlanVersion } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import type { Taxes } from './apply-taxes.ts'
import type { Sibling } from './own-stretches.ts'
import type { Purse } from './settle.ts'

/** Everything that decides the next document of one subscription, read at one moment. Nothing is read again later. */
export type BillingState<C extends string = string> = Life &
  BillingBook<C> & {
    readonly currency: Currency<C>
    /** The customer's other subscriptions that charge for a feature. */
    readonly siblings: readonly Sibling[]
    readonly settings: BillingSettings
    readonly taxes: Taxes
    readonly purse: Purse<C>
    readonly cutOff: CutOff
    /** What people added to its drafts; absent: nothing. */
    readonly drafts?: readonly SubscriptionDraft[]
    /** The instant up to which the usage of the customer's other subscriptions in this currency is billed, as a credit may pay for them too. */
    readonly othersBilledToMs: InstantMs
  }

/** When a subscription is served, and on which plan versions. `planVersions` has each version that a phase names. */
export type Life = { readonly subscription: Subscription; readonly planVersions: readonly PlanVersion[] }

/** The tenant's settings, replaced by the customer's own where there are any. */
export type BillingSettings = {
  /** Documents with usage become final this long after their period's end at the earliest. */
  readonly graceMs: number
  /** How long after a part's end late usage is still billed on its own. */
  readonly lateWindowMs: number
  readonly dueMs: number
  /** Whether a bill over 0 is issued too. */
  readonly issueZero: boolean
}

export const BILLING_SETTINGS_DEFAULT: BillingSettings = {
  graceMs: 3_600_000,
  lateWindowMs: 35 * DAY_MS,
  dueMs: 30 * DAY_MS,
  issueZero: false,
}

/**
 * The usage of a charge in some stretches of event time, in nano units, as of a position of the log. All stretches are one
 * question, as the maximum or the number of users of two stretches is no sum.
 */
export type UsageOf = (charge: Charge, stretches: readonly Period[], cutOff: CutOff) => bigint
