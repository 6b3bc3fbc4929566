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
  /** The customer's zone at `beganMs`, for the calendar where no plan gives one. Absent: UTC. */
  readonly timezone?: string
  /** The reset without one of its own and without a plan. Absent: never, so that what was given once is not given again each month. */
  readonly unplannedReset?: OverrideReset
}

export type OverrideTerms = Omit<Entitlement, 'reset' | 'anchor'> & {
  /** Null: the schedule of the plan that gives the feature; none where no plan does. */
  readonly reset: OverrideReset | null
  readonly anchor: EntitlementAnchor | null
}

export type OverrideReset = Exclude<ResetInterval, 'interval'>
