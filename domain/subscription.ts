import type { CustomerKey, InstantMs, PlanKey, SubscriptionId } from './identity.ts'

/** A stretch of a subscription on one plan version; a change of plan ends one phase and begins the next. */
export type SubscriptionPhase = {
  readonly plan: PlanKey
  readonly planVersion: number
  readonly startMs: InstantMs
  readonly endMs: InstantMs | null
}

export type Subscription = {
  readonly id: SubscriptionId
  readonly customer: CustomerKey
  readonly startMs: InstantMs
  /** Billing and reset periods count from here; by default the start. */
  readonly anchorMs: InstantMs
  /** Half-open: at this instant the subscription is over. Null while it runs on. */
  readonly endMs: InstantMs | null
  /** In order of time, adjoining, at least one. */
  readonly phases: readonly SubscriptionPhase[]
}
