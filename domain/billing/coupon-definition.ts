import type { FeatureKey, InstantMs } from '../identity.ts'

/** A coupon as it is set up; `Coupon` is what a subscription has of it. */
export type CouponDefinition = {
  readonly key: string
  /** Decimal string above 0 and at most 100, or an amount in the major unit of its currency. */
  readonly off: { readonly percent: string } | { readonly amount: string; readonly currency: string }
  /** Lines of these features alone; null is every line. */
  readonly features: readonly FeatureKey[] | null
  /** On how many documents of a subscription it gives something; null is for ever. */
  readonly invoices: number | null
  /** Subscriptions made from this instant on cannot have it. */
  readonly redeemByMs: InstantMs | null
  /** Subscriptions that may have it; null is without end. */
  readonly usesMax: number | null
}
