import type { Meter } from './meter.ts'
import type { Feature, PlanVersion } from './plan.ts'
import type { Subscription } from './subscription.ts'

/** Everything that decides what one customer is entitled to, read from the catalog at one moment. */
export type EntitlementInputs = {
  readonly subscriptions: readonly Subscription[]
  /** Every version that a phase of these subscriptions names. */
  readonly planVersions: readonly PlanVersion[]
  /** At least those that an entitlement of these plan versions names. */
  readonly features: readonly Feature[]
  /** At least those that these features read. */
  readonly meters: readonly Meter[]
}
