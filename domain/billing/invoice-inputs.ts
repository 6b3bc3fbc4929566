import type { Feature, PlanVersion } from '../catalog/plan.ts'
import type { Subscription } from '../catalog/subscription.ts'
import type { SubscriptionId } from '../identity.ts'
import type { Meter } from '../metering/meter.ts'

/** Everything that decides what is counted and priced for some subscriptions, read from the catalog at one moment. */
export type InvoiceInputs = {
  /** Those that there are. */
  readonly subscriptions: ReadonlyMap<SubscriptionId, Subscription>
  /** Every version that a phase of these names. */
  readonly planVersions: readonly PlanVersion[]
  /** At least those that a charge of these plan versions names. */
  readonly features: readonly Feature[]
  /** At least those that these features read. */
  readonly meters: readonly Meter[]
}
