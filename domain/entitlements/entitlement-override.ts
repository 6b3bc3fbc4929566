import type { Entitlement, EntitlementAnchor } from '../catalog/plan.ts'
import type { InstantMs } from '../identity.ts'
import type { ResetInterval } from '../time/intervals.ts'

/**
 * What one customer has of one feature in place of all that its plans say, in force from `fromMs` until `untilMs`. A
 * change ends one and begins the next: periods that are over keep the limit that they ended with.
 */
export type EntitlementOverride = OverrideTerms & {
  /** Since when there has been an override of the feature without a break. */
  readonly beganMs: InstantMs
  readonly fromMs: InstantMs
  /** Null while it is in force. */
  readonly untilMs: InstantMs | null
}

export type OverrideTerms = Omit<Entitlement, 'reset' | 'anchor'> & {
  /** Null: as the plan that gives the feature has it; monthly and from `beganMs` on where none does. */
  readonly reset: OverrideReset | null
  readonly anchor: EntitlementAnchor | null
}

export type OverrideReset = Exclude<ResetInterval, 'interval'>
