import { invariant } from '../../base/invariant.ts'
import type { InstantMs } from '../identity.ts'
import { isRefusal, type Outcome, type Refusal, refuse } from '../refusal.ts'
import type { PlanInterval } from '../time/intervals.ts'
import type { PlanVersion } from './plan.ts'
import type { PriceOverrides } from './price.ts'
import { type ChangeMoment, changeInstant, changePlan, phaseAt, type Subscription, type SubscriptionPhase } from './subscription.ts'

/** A change of a subscription to a version of a plan, as it is asked for. */
export type PlanChange = {
  readonly to: Pick<PlanVersion, 'plan' | 'version' | 'currency' | 'charges'>
  readonly at: ChangeMoment | InstantMs
  /** The fees of the change are billed at once, and not with the next document. */
  readonly isInvoicedNow?: boolean
  /** Periods count from the change on. */
  readonly resetsAnchor?: boolean
  /** Absent: a move within the plan keeps those that there are, as far as the plan still has their charges; another plan has none. */
  readonly priceOverrides?: PriceOverrides
}

export type DecidedChange = { readonly subscription: Subscription; readonly atMs: InstantMs }

/**
 * The subscription after the change, and the instant at which it changes. `planVersions` has each version that a phase names. Refuses
 * `change_in_past`, as what is over may be billed, `currency_mismatch`, `no_period_end`, `subscription_ended`, `too_many_changes`.
 */
export function decidePlanChange(
  subscription: Subscription,
  planVersions: readonly PlanVersion[],
  { to, at, isInvoicedNow = false, resetsAnchor = false, priceOverrides }: PlanChange,
  nowMs: InstantMs,
): Outcome<DecidedChange> {
  const atMs = typeof at === 'number' ? instantToCome(subscription, at, nowMs) : momentOf(subscription, planVersions, at, nowMs)
  if (isRefusal(atMs)) return atMs
  const refusal = refuseOtherCurrency(subscription, planVersions, to)
  if (refusal !== null) return refusal
  const prices = priceOverrides ?? keptPrices(phaseAt(subscription, (atMs - 1) as InstantMs), to)
  const phase = {
    ...{ plan: to.plan, planVersion: to.version, ...(isInvoicedNow && { invoiceNow: true }) },
    ...(Object.keys(prices).length > 0 && { priceOverrides: prices }),
  }
  const changed = changePlan(subscription, resetsAnchor ? { ...phase, anchorMs: atMs } : phase, atMs)
  return isRefusal(changed) ? changed : { subscription: changed, atMs }
}

function keptPrices({ plan, priceOverrides = {} }: SubscriptionPhase, to: PlanChange['to']): PriceOverrides {
  if (plan !== to.plan) return {}
  return Object.fromEntries(Object.entries(priceOverrides).filter(([charge]) => to.charges.some(({ key }) => key === charge)))
}

/** The interval of the plan in force at an instant. */
export function intervalAt(subscription: Subscription, planVersions: readonly PlanVersion[], atMs: InstantMs): PlanInterval {
  const { plan, planVersion } = phaseAt(subscription, atMs)
  const found = planVersions.find((version) => version.plan === plan && version.version === planVersion)
  invariant(found !== undefined, `version ${planVersion} of plan ${plan} comes with the subscription`)
  return found.interval
}

function momentOf(
  subscription: Subscription,
  planVersions: readonly PlanVersion[],
  at: ChangeMoment,
  nowMs: InstantMs,
): Outcome<InstantMs> {
  return changeInstant(subscription, intervalAt(subscription, planVersions, nowMs), at, nowMs)
}

function instantToCome({ id, startMs }: Subscription, atMs: InstantMs, nowMs: InstantMs): Outcome<InstantMs> {
  return atMs < nowMs ? refuse('change_in_past', { subscription: id, atMs, nowMs }) : (Math.max(atMs, startMs) as InstantMs)
}

/** The currency of a subscription is fixed: documents of two currencies cannot be added up. */
function refuseOtherCurrency(
  { id }: Subscription,
  planVersions: readonly PlanVersion[],
  to: Pick<PlanVersion, 'plan' | 'currency'>,
): Refusal | null {
  const currency = planVersions[0]?.currency
  if (currency === undefined || currency === to.currency) return null
  return refuse('currency_mismatch', { subscription: id, currency, plan: to.plan, planCurrency: to.currency })
}
