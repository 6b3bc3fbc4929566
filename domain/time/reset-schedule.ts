import type { InstantMs } from '../identity.ts'
import type { PlanInterval, ResetInterval } from './intervals.ts'

/**
 * How a metered feature's usage is cut into periods for one customer. With `calendar` periods begin on the calendar's own
 * boundaries in `timezone`; with `subscription` they count from `anchorMs`. The first one is clipped at `fromMs`.
 */
export type ResetSchedule = {
  readonly interval: Exclude<ResetInterval, 'interval'> | Exclude<PlanInterval, 'once'>
  readonly anchor: 'subscription' | 'calendar'
  readonly anchorMs: InstantMs
  readonly fromMs: InstantMs
  /** IANA name. */
  readonly timezone: string
}
