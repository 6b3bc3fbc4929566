import type { LedgerSnapshot } from '../allowance/allowance-ledger.ts'
import type { Grant } from '../allowance/grant.ts'
import type { Feature, PlanVersion } from '../catalog/plan.ts'
import type { Subscription } from '../catalog/subscription.ts'
import type { FeatureKey, InstantMs } from '../identity.ts'
import type { Meter } from '../metering/meter.ts'
import type { EntitlementOverride } from './entitlement-override.ts'

/** Everything that decides what one customer is entitled to, read from the catalog at one moment. */
export type EntitlementInputs = {
  readonly subscriptions: readonly Subscription[]
  /** Every version that a phase of these subscriptions names. */
  readonly planVersions: readonly PlanVersion[]
  /** At least those that an entitlement of these plan versions or an override names. */
  readonly features: readonly Feature[]
  /** At least those that these features read. */
  readonly meters: readonly Meter[]
  /** Those that ended too. */
  readonly overrides: readonly EntitlementOverride[]
  /** Those that are over too, as far as no opening has seen the end of them. */
  readonly grants: readonly Grant[]
  readonly manualResets: readonly { readonly feature: FeatureKey; readonly atMs: InstantMs }[]
  /** One per feature at most. */
  readonly openings: readonly AllowanceOpening[]
}

/** Where the segments of a feature were folded up. Good as long as usage is counted and cut as `basis` says. */
export type AllowanceOpening = { readonly feature: FeatureKey; readonly basis: string; readonly ledger: LedgerSnapshot }

/** Of a customer that nobody has sold anything to. */
export const NO_ENTITLEMENT_INPUTS: EntitlementInputs = {
  subscriptions: [],
  planVersions: [],
  features: [],
  meters: [],
  overrides: [],
  grants: [],
  manualResets: [],
  openings: [],
}
