import type { InstantMs, PlanKey, SubscriptionId } from '../identity.ts'
import { type Outcome, refuse } from '../refusal.ts'
import { isSamePrices, type PriceOverrides } from './price.ts'
import { type Subscription, startOfSecond } from './subscription.ts'

/** A subscription that is to be made. */
export type WantedSubscription = Pick<Subscription, 'customer' | 'timezone' | 'commitment' | 'coupons'> & {
  readonly plan: PlanKey
  /** Generated when undefined. */
  readonly id?: SubscriptionId | undefined
  /** Now when undefined. */
  readonly startMs?: InstantMs | undefined
  /** The start when undefined. */
  readonly anchorMs?: InstantMs | undefined
  readonly allowsSeveral?: boolean | undefined
  /** Of the first phase; not empty. */
  readonly priceOverrides?: PriceOverrides
}

/** The subscription with the wanted id, if it was made of the same input; fields left to their default the first time are not compared. */
export function sameOrRefused(
  existing: Subscription,
  { customer, plan, startMs, anchorMs, timezone, priceOverrides }: WantedSubscription,
): Outcome<Subscription> {
  const madeOn = existing.phases[0]?.plan
  const isSame =
    existing.customer === customer &&
    madeOn === plan &&
    (startMs === undefined || startOfSecond(startMs) === startOfSecond(existing.startMs)) &&
    (anchorMs === undefined || anchorMs === existing.anchorMs) &&
    (timezone === undefined || timezone === existing.timezone) &&
    (priceOverrides === undefined || isSamePrices(priceOverrides, existing.phases[0]?.priceOverrides))
  if (isSame) return existing
  return refuse('subscription_id_taken', { subscription: existing.id, customer: existing.customer, plan: madeOn ?? plan })
}
