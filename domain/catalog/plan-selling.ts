import type { InstantMs } from '../identity.ts'
import { addMonths } from '../time/add-months.ts'
import { DAY_MS } from '../time/durations.ts'

/** Calendar months are clamped, as billing periods are. */
export type TermLength = { readonly days: number } | { readonly months: number }

/** What happens when a one-time plan is bought again while it holds: limits add up, it holds longer, or it is not sold. */
export const AGAIN = ['add', 'extend', 'refuse'] as const
export type Again = (typeof AGAIN)[number]

/** Something that a plan hands over. `key` names it within the plan, so that a change of plan knows what stays. */
export type Deliverable =
  | {
      readonly key: string
      readonly kind: 'download'
      readonly download: string
      /** Releases made within it from the payment on are had. Absent: all. */
      readonly updatesFor?: { readonly months: number }
      /** Absent: without end. */
      readonly maxDownloads?: number
      /** What was out by the end of the subscription stays. */
      readonly keepAfterEnd?: boolean
    }
  | { readonly key: string; readonly kind: 'license'; readonly policy: string }
  | { readonly key: string; readonly kind: 'link'; readonly url: string; readonly label: string; readonly keepAfterEnd?: boolean }

/** Amounts are decimal strings in the major unit; the visitor names what a unit costs. */
export type PayWhatYouWant = { readonly min: string; readonly suggested: string; readonly max?: string }

/** The same plan in a further currency; nothing is converted. */
export type PlanPrice = { readonly currency: string; readonly baseFee: string }

/** At the end of a trial without a payment method: paused, ended, or billed all the same. */
export const TRIAL_ENDS = ['pause', 'end', 'bill'] as const
export type PlanTrial = { readonly days: number; readonly requiresPayment?: boolean; readonly atEnd?: (typeof TRIAL_ENDS)[number] }

/** How a plan is sold. Absent fields have their default. */
export type PlanSelling = {
  /** Of a one-time plan, from the payment on. Absent: for good. */
  readonly validFor?: TermLength
  readonly again?: Again
  readonly deliverables?: readonly Deliverable[]
  /** The most units of one purchase. */
  readonly quantityMax?: number
  readonly payWhatYouWant?: PayWhatYouWant
  readonly prices?: readonly PlanPrice[]
  readonly trial?: PlanTrial
  /** In the pricing table, and sold by publishable keys. */
  readonly isListed?: boolean
  /** Sold by publishable keys, and not in the pricing table. */
  readonly hasBuyLink?: boolean
}

export const QUANTITY_MAX_DEFAULT = 100

/** The first instant after the term. */
export function endOfTerm(startMs: InstantMs, length: TermLength): InstantMs {
  return 'days' in length ? ((startMs + length.days * DAY_MS) as InstantMs) : addMonths(startMs, length.months)
}
