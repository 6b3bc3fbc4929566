import type { FeatureKey } from './identity.ts'
import type { Meter } from './meter.ts'
import type { DimensionFilter } from './plan.ts'
import type { ResetSchedule } from './reset-schedule.ts'

/** A metered feature that a customer is entitled to, as the counters follow it. */
export type TrackedFeature = {
  readonly feature: FeatureKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly schedule: ResetSchedule
  /** Equal exactly when meter revision, filter and schedule are: a counter kept under another definition is not ours to read. */
  readonly definition: string
}
