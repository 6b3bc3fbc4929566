import type { Feature, PlanVersion } from '../catalog/plan.ts'
import type { Subscription } from '../catalog/subscription.ts'
import type { SubscriptionId } from '../identity.ts'
import type { Meter } from '../metering/meter.ts'

/** Everything that decides which usage is counted and priced for some subscriptions, read from the catalog at one moment. */
export type InvoiceInputs = {
  /** The subscriptions asked for, without those that do not exist, and the others of their customers. */
  readonly subscriptions: ReadonlyMap<SubscriptionId, Subscription>
  /** Every plan version that a phase of these subscriptions names. */
  readonly planVersions: readonly PlanVersion[]
  /** Includes every feature that a charge of these plan versions names. */
  readonly features: readonly Feature[]
  /** Includes every meter that these features read. */
  readonly meters: readonly Meter[]
}
