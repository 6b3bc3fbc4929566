import { invariant } from '../../base/invariant.ts'
import { type CustomerKey, END_OF_TIME_MS, type InstantMs, type Period, type PlanKey, type SubscriptionId } from '../identity.ts'
import { type Outcome, refuse } from '../refusal.ts'
import { billingPeriodAt } from '../time/calendar.ts'
import type { PlanInterval } from '../time/intervals.ts'
import { CATALOG_BOUNDS } from './catalog-bounds.ts'
import type { Counted } from './plan.ts'
import { isSamePrices, type PriceOverrides } from './price.ts'

/** A stretch of a subscription on one plan version; a change of plan ends one phase and begins the next. */
export type SubscriptionPhase = {
  readonly plan: PlanKey
  readonly planVersion: number
  readonly startMs: InstantMs
  readonly endMs: InstantMs | null
  /** Units that were bought: limits marked `perUnit` are multiplied by it. Absent: 1. */
  readonly quantity?: number
  /** The new anchor of the periods, when the change was made with `resetAnchor`; absent: that of the phase before, at first the subscription's. */
  readonly anchorMs?: InstantMs
  /** The fees of the change to this phase are billed at once. Absent: on the next invoice. */
  readonly invoiceNow?: boolean
  /** Absent: charges cost what the plan says. */
  readonly priceOverrides?: PriceOverrides
}

/** The least that usage and fees of a term come to; the difference is trued up on the invoice that closes the term. */
export type Commitment = {
  /** Decimal string in the major unit. */
  readonly amount: string
  readonly fromMs: InstantMs
  readonly toMs: InstantMs
  readonly counts?: readonly Counted[]
}

export type Subscription = {
  readonly id: SubscriptionId
  readonly customer: CustomerKey
  readonly startMs: InstantMs
  /** Billing and reset periods count from here; the start by default. */
  readonly anchorMs: InstantMs
  /** Half-open: at this instant the subscription has ended. Null while it runs on. */
  readonly endMs: InstantMs | null
  /** In order of time, adjoining; at least one. */
  readonly phases: readonly SubscriptionPhase[]
  /** IANA name of the zone in which periods are counted; it never changes. Absent: UTC. */
  readonly timezone?: string
  /** Unused fees are given back at once at the end. Absent: with the closing invoice. */
  readonly endInvoiceNow?: boolean
  readonly commitment?: Commitment
  /** Keys of coupons, in the order in which they are used. */
  readonly coupons?: readonly string[]
}

/** `canceled` still runs until its end, which is known; `ended` is over. */
export const SUBSCRIPTION_STATUSES = ['scheduled', 'active', 'canceled', 'ended'] as const
export type SubscriptionStatus = (typeof SUBSCRIPTION_STATUSES)[number]

export function subscriptionStatus({ startMs, endMs }: Subscription, atMs: InstantMs): SubscriptionStatus {
  if (endMs !== null && (atMs >= endMs || endMs <= startMs)) return 'ended'
  if (atMs < startMs) return 'scheduled'
  return endMs === null ? 'active' : 'canceled'
}

/** The phase in force; before the start the first, after the end the last one. */
export function phaseAt({ phases }: Subscription, atMs: InstantMs): SubscriptionPhase {
  const phase = phases.findLast(({ startMs }) => startMs <= atMs) ?? phases[0]
  invariant(phase !== undefined, 'a subscription has a phase')
  return phase
}

/** The billing period that holds the instant, under the interval of the plan in force then. */
export function subscriptionPeriodAt(subscription: Subscription, interval: PlanInterval, atMs: InstantMs): Period {
  const { startMs, endMs, timezone } = subscription
  return billingPeriodAt(interval, anchorAt(subscription, atMs), startMs, endMs, atMs, timezone)
}

/**
 * The billing period that holds the instant, given the interval of each phase. Periods do not overlap: a change to another interval, or
 * one that resets the anchor, ends the period under way, and the next one begins there.
 */
export function ownPeriodAt(subscription: Subscription, intervals: readonly PlanInterval[], atMs: InstantMs): Period {
  const { phases } = subscription
  const at = phases.indexOf(phaseAt(subscription, atMs))
  const gridOf = ({ startMs }: SubscriptionPhase, index: number) =>
    `${intervals[index]} ${intervals[index] === 'once' ? startMs : anchorAt(subscription, startMs)}`
  const grids = phases.map(gridOf)
  const interval = intervals[at]
  invariant(interval !== undefined, 'each phase has the interval of its plan')
  const period = subscriptionPeriodAt(subscription, interval, atMs)
  const first = phases[grids.slice(0, at).findLastIndex((grid) => grid !== grids[at]) + 1]
  const next = phases.find((_, index) => index > at && grids[index] !== grids[at])
  return {
    startMs: Math.max(period.startMs, first?.startMs ?? period.startMs) as InstantMs,
    endMs: Math.min(period.endMs, next?.startMs ?? period.endMs) as InstantMs,
  }
}

/** Where periods are counted from at an instant: the last anchor that a change has set, else the subscription's own. */
export function anchorAt({ anchorMs, phases }: Subscription, atMs: InstantMs): InstantMs {
  return phases.findLast((phase) => phase.startMs <= atMs && phase.anchorMs !== undefined)?.anchorMs ?? anchorMs
}

/** Subscriptions begin on whole seconds: many senders give times in seconds, and an event sent after the start must not fall before it. */
export function startOfSecond(atMs: InstantMs): InstantMs {
  return (atMs - (atMs % SECOND_MS)) as InstantMs
}

const SECOND_MS = 1_000

/** `now`, or the end of the current billing period; never before the subscription starts. */
export type ChangeMoment = 'now' | 'periodEnd'

export function changeInstant(
  subscription: Subscription,
  interval: PlanInterval,
  moment: ChangeMoment,
  nowMs: InstantMs,
): Outcome<InstantMs> {
  if (moment === 'now') return Math.max(nowMs, subscription.startMs) as InstantMs
  const { endMs } = subscriptionPeriodAt({ ...subscription, endMs: null }, interval, nowMs)
  if (endMs < END_OF_TIME_MS) return endMs
  return refuse('no_period_end', { subscription: subscription.id })
}

/** An end never moves later once it is set, so a repeat changes nothing. */
export function cancelSubscription(subscription: Subscription, atMs: InstantMs): Subscription {
  const endMs = Math.max(Math.min(atMs, subscription.endMs ?? atMs), subscription.startMs) as InstantMs
  const begun = subscription.phases.filter(({ startMs }, index) => index === 0 || startMs < endMs)
  return { ...subscription, endMs, phases: endingLast(begun, endMs) }
}

/** Takes back an end that has not come yet. Changes of plan that the cancellation has dropped do not come back. */
export function uncancelSubscription(subscription: Subscription, nowMs: InstantMs): Outcome<Subscription> {
  const { endInvoiceNow: _ended, ...running } = subscription
  const { id, endMs, phases } = subscription
  if (endMs === null) return subscription
  if (subscriptionStatus(subscription, nowMs) === 'ended') return refuse('subscription_over', { subscription: id, endMs })
  return { ...running, endMs: null, phases: endingLast(phases, null) }
}

/** More changes of plan than this are a misuse of subscriptions. */
export const PHASES_MAX = CATALOG_BOUNDS.changes.most

/**
 * Changes to another plan version, or to other prices of its charges, from `atMs` on. Changes planned for later are replaced; choosing
 * the present version at the present prices again calls a change off, unless it moves the anchor.
 */
export function changePlan(
  subscription: Subscription,
  to: Omit<SubscriptionPhase, 'startMs' | 'endMs'>,
  atMs: InstantMs,
): Outcome<Subscription> {
  const { id, startMs, endMs } = subscription
  if (endMs !== null && atMs >= endMs) return refuse('subscription_ended', { subscription: id, endMs })
  const kept = subscription.phases.filter((phase) => phase.startMs < atMs)
  const inForce = kept.at(-1)
  if (inForce !== undefined && isSameOffer(inForce, to) && to.anchorMs === undefined) {
    return { ...subscription, phases: endingLast(kept, endMs) }
  }
  if (kept.length >= PHASES_MAX) return refuse('too_many_changes', { subscription: id, changesMax: PHASES_MAX })
  const next: SubscriptionPhase = { ...to, startMs: kept.length === 0 ? startMs : atMs, endMs }
  return { ...subscription, phases: [...endingLast(kept, atMs), next] }
}

function isSameOffer(a: Omit<SubscriptionPhase, 'startMs' | 'endMs'>, b: typeof a): boolean {
  return a.plan === b.plan && a.planVersion === b.planVersion && isSamePrices(a.priceOverrides, b.priceOverrides)
}

function endingLast(phases: readonly SubscriptionPhase[], endMs: InstantMs | null): readonly SubscriptionPhase[] {
  return phases.map((phase, index) => (index === phases.length - 1 ? { ...phase, endMs } : phase))
}
