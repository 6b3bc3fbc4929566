import type { Entitlement, EntitlementAnchor } from '../catalog/plan.ts'
import type { InstantMs } from '../identity.ts'
import type { ResetInterval } from '../time/intervals.ts'

/**
 * What one customer has of one feature instead of everything that its plans say, in force from `fromMs` until `untilMs`. A change
 * ends one override and begins the next: past periods keep the limit that they ended with.
 */
export type EntitlementOverride = OverrideTerms & {
  /** The start of the first override in an unbroken row of them. */
  readonly beganMs: InstantMs
  readonly fromMs: InstantMs
  /** Null while it is in force. */
  readonly untilMs: InstantMs | null
}

export type OverrideTerms = Omit<Entitlement, 'reset' | 'anchor'> & {
  /** Null: the schedule of the plan that gives the feature; monthly from `beganMs` on where no plan does. */
  readonly reset: OverrideReset | null
  readonly anchor: EntitlementAnchor | null
}

export type OverrideReset = Exclude<ResetInterval, 'interval'>
