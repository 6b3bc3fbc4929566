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
  /** Includes every feature that an entitlement of these plan versions or an override names. */
  readonly features: readonly Feature[]
  /** Includes every meter that these features read. */
  readonly meters: readonly Meter[]
  /** Includes ended ones. */
  readonly overrides: readonly EntitlementOverride[]
  /** Includes ended ones, except those whose end an opening has seen. */
  readonly grants: readonly Grant[]
  readonly manualResets: readonly { readonly feature: FeatureKey; readonly atMs: InstantMs }[]
  /** At most one per feature. */
  readonly openings: readonly AllowanceOpening[]
}

/** The point where the segments of a feature were folded up. Valid while usage is counted and cut as `basis` says. */
export type AllowanceOpening = { readonly feature: FeatureKey; readonly basis: string; readonly ledger: LedgerSnapshot }

/** The inputs of a customer without subscriptions or overrides. */
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
