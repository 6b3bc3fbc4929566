import type { InstantMs } from '../identity.ts'
import type { Billed, BilledBase, BilledPart } from './billed.ts'
import type { Money } from './money.ts'

/** What is kept of a subscription between its documents: how far it is billed, and what later documents count again. */
export type BillingBook<C extends string = string> = {
  readonly cursor: BillingCursor
  /** Base fees asked for a time that is not closed yet. */
  readonly baseFees: readonly BilledBase<C>[]
  /** Parts whose usage is counted again: of the period under way, and those whose late window is open. */
  readonly parts: readonly BilledPart<C>[]
  readonly committed: Committed<C> | null
}

/** How far a subscription is billed. `version` goes up by one with each decision, so that two cannot be made from the same state. */
export type BillingCursor = {
  /** Up to where base fees were asked for; null before the opening. */
  readonly baseBilledToMs: InstantMs | null
  /** Up to where the periods are closed: usage before is on a final line, or pending for an adjustment. */
  readonly usageBilledToMs: InstantMs
  readonly version: number
}

/** What counted towards the commitment so far, and what was trued up for it; null before its term was closed. */
export type Committed<C extends string = string> = { readonly counted: Money<C>; readonly trueUp: Billed<C> | null }
