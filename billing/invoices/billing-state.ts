import type { Billed, BilledBase, BilledPart, CutOff } from '../../domain/billing/billed.ts'
import type { Currency, Money } from '../../domain/billing/money.ts'
import type { Charge, PlanVersion } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import type { Taxes } from './apply-taxes.ts'
import type { Sibling } from './own-stretches.ts'
import type { Purse } from './settle.ts'

/** All that decides the next document of one subscription, read at one moment. Nothing here is read again later. */
export type BillingState<C extends string = string> = Life & {
  readonly currency: Currency<C>
  /** The customer's other subscriptions that charge for a feature. */
  readonly siblings: readonly Sibling[]
  readonly settings: BillingSettings
  readonly taxes: Taxes
  readonly cursor: BillingCursor
  /** Base fees asked for a time that is not closed yet. */
  readonly baseFees: readonly BilledBase<C>[]
  /** Parts whose usage is counted again: of the period under way, and those whose late window is open. */
  readonly parts: readonly BilledPart<C>[]
  readonly committed: Committed<C> | null
  readonly purse: Purse<C>
  readonly cutOff: CutOff
  /** Up to where the customer's other subscriptions in this currency have their usage billed: a credit may pay for them too. */
  readonly othersBilledToMs: InstantMs
}

/** When a subscription is served, and on what. `planVersions` has each version that a phase names. */
export type Life = { readonly subscription: Subscription; readonly planVersions: readonly PlanVersion[] }

/** How far a subscription is billed. `version` goes up by one with each decision, so that two cannot be made from the same state. */
export type BillingCursor = {
  /** Up to where base fees were asked for; null before the opening. */
  readonly baseBilledToMs: InstantMs | null
  /** Up to where the periods are closed: usage before is on a final line, or pending for an adjustment. */
  readonly usageBilledToMs: InstantMs
  readonly version: number
}

/** Those of the tenant, with what the customer has of its own in their place. */
export type BillingSettings = {
  /** What holds usage is final this long after its period's end at the earliest. */
  readonly graceMs: number
  /** How long after a part's end usage may come and is still billed by itself. */
  readonly lateWindowMs: number
  readonly dueMs: number
  /** A bill that comes to nothing is made too. */
  readonly issueZero: boolean
}

export const BILLING_SETTINGS_DEFAULT: BillingSettings = {
  graceMs: 3_600_000,
  lateWindowMs: 35 * DAY_MS,
  dueMs: 30 * DAY_MS,
  issueZero: false,
}

/** What counted towards the commitment so far, and what was trued up for it; null before its term was closed. */
export type Committed<C extends string = string> = { readonly counted: Money<C>; readonly trueUp: Billed<C> | null }

/**
 * What a charge counts in some stretches of event time, in nano units, as of a position of the log. The stretches are
 * one question, and not one each: the highest value or the number of users of two stretches is no sum.
 */
export type UsageOf = (charge: Charge, stretches: readonly Period[], cutOff: CutOff) => bigint
