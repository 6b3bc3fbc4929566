import { invariant } from '../../base/invariant.ts'
import type { PlanAllowance, Rollover } from '../allowance/plan-allowance.ts'
import type { Entitlement, Feature, LimitType, OnUncertain, PlanVersion } from '../catalog/plan.ts'
import type { Subscription, SubscriptionPhase } from '../catalog/subscription.ts'
import { parseQuantity } from '../decimal.ts'
import { END_OF_TIME_MS, type FeatureKey, type InstantMs } from '../identity.ts'
import type { Meter } from '../metering/meter.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'
import type { EntitlementInputs } from './entitlement-inputs.ts'
import type { EntitlementOverride } from './entitlement-override.ts'

/** Who gives a customer what, and when: the inputs, prepared for questions by feature and instant. */
export type EntitlementSources = {
  /** Features given at `nowMs` or later: in plan order of the subscription that started first, then of the next, then overrides. */
  featuresFrom(nowMs: InstantMs): readonly FeatureKey[]
  feature(key: FeatureKey): Feature
  meterOf(feature: Feature): Meter
  /** Sources in force, the subscription that started first in front (ties by id). */
  plansAt(feature: FeatureKey, atMs: InstantMs): readonly PlanSource[]
  overrideAt(feature: FeatureKey, atMs: InstantMs): EntitlementOverride | null
  /** Whether any source of the feature ever rolled units over. */
  hasRollover(feature: FeatureKey): boolean
  /** Ascending: between two of these instants neither plans nor override change. */
  edgesMs(feature: FeatureKey): readonly InstantMs[]
}

/** One entitlement of one phase of a subscription. */
export type PlanSource = {
  readonly subscription: Subscription
  readonly plan: PlanVersion
  readonly entitlement: Entitlement
  /** Units of the phase. */
  readonly quantity: number
  readonly startMs: InstantMs
  readonly endMs: InstantMs
}

/** The combined terms of a metered feature's sources at one instant. */
export type MeteredTerms = Omit<PlanAllowance, 'fromMs'> & {
  readonly limitType: LimitType
  readonly onUncertain: OnUncertain
  readonly schedule: ResetSchedule
}

export function readEntitlementSources(inputs: EntitlementInputs): EntitlementSources {
  const features = new Map(inputs.features.map((feature) => [feature.key, feature]))
  const meters = new Map(inputs.meters.map((meter) => [meter.key, meter]))
  const all = planSources(inputs)
  const plans = Map.groupBy(all, ({ entitlement }) => entitlement.feature)
  const overrides = Map.groupBy(inputs.overrides, ({ feature }) => feature)
  return {
    featuresFrom(nowMs) {
      const begun = all.filter(({ startMs, endMs }) => startMs <= nowMs && endMs > nowMs)
      const later = all.filter(({ startMs }) => startMs > nowMs).sort((a, b) => a.startMs - b.startMs)
      const overridden = inputs.overrides.filter((override) => isInForce(override, nowMs))
      return [
        ...new Set([...[...begun, ...later].map(({ entitlement }) => entitlement.feature), ...overridden.map(({ feature }) => feature)]),
      ]
    },
    feature(key) {
      const feature = features.get(key)
      invariant(feature !== undefined, `entitlement inputs hold feature ${key}`)
      return feature
    },
    meterOf(feature) {
      const meter = feature.meter === null ? undefined : meters.get(feature.meter)
      invariant(meter !== undefined, `entitlement inputs hold meter ${feature.meter} of feature ${feature.key}`)
      return meter
    },
    plansAt: (feature, atMs) => (plans.get(feature) ?? []).filter(({ startMs, endMs }) => startMs <= atMs && atMs < endMs),
    overrideAt: (feature, atMs) => overrides.get(feature)?.find((override) => isInForce(override, atMs)) ?? null,
    hasRollover(feature) {
      const ofPlans = (plans.get(feature) ?? []).some(({ entitlement }) => entitlement.rollover !== null)
      return ofPlans || (overrides.get(feature) ?? []).some(({ rollover }) => rollover !== null)
    },
    edgesMs(feature) {
      const edges = [
        ...(plans.get(feature) ?? []).flatMap(({ startMs, endMs }) => [startMs, endMs]),
        ...(overrides.get(feature) ?? []).flatMap(({ fromMs, untilMs }) => [fromMs, untilMs ?? END_OF_TIME_MS]),
      ]
      return [...new Set(edges)].filter((edgeMs) => edgeMs < END_OF_TIME_MS).sort((a, b) => a - b)
    },
  }
}

/**
 * Limits add up; one unlimited limit makes the sum unlimited, one hard limit makes it hard; everything else is that of the
 * subscription that started first. An override replaces all of it. Null where nothing gives the feature.
 */
export function meteredTermsAt(sources: EntitlementSources, feature: FeatureKey, atMs: InstantMs): MeteredTerms | null {
  const plans = sources.plansAt(feature, atMs)
  const [first] = plans
  const schedule = first === undefined ? null : scheduleOf(first)
  const override = sources.overrideAt(feature, atMs)
  if (override !== null) {
    return { ...termsOf(override, override.limitType), limit: unitsOf(override.limit), schedule: overriddenSchedule(override, schedule) }
  }
  if (first === undefined || schedule === null) return null
  const limitType = plans.some(({ entitlement }) => entitlement.limitType === 'hard') ? 'hard' : 'soft'
  return { ...termsOf(first.entitlement, limitType), limit: sumOfLimits(plans), schedule }
}

/** The policy of a feature with this limit, or of one that is not metered. */
export function onUncertainOf({ onUncertain }: Pick<Entitlement, 'onUncertain'>, limitType: LimitType): OnUncertain {
  return onUncertain ?? (limitType === 'hard' ? 'deny' : 'allow')
}

function isInForce({ fromMs, untilMs }: EntitlementOverride, atMs: InstantMs): boolean {
  return fromMs <= atMs && (untilMs === null || atMs < untilMs)
}

/** Ordered by start of the subscription (ties by id), then as in its plan. */
function planSources({ subscriptions, planVersions }: EntitlementInputs): PlanSource[] {
  const versions = new Map(planVersions.map((version) => [nameOf(version.plan, version.version), version]))
  const sources: PlanSource[] = []
  const inOrder = subscriptions.toSorted((a, b) => a.startMs - b.startMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  for (const subscription of inOrder) {
    for (const phase of subscription.phases) {
      const startMs = phase.startMs
      const endMs = Math.min(phase.endMs ?? END_OF_TIME_MS, subscription.endMs ?? END_OF_TIME_MS) as InstantMs
      if (startMs >= endMs) continue
      const plan = versions.get(nameOf(phase.plan, phase.planVersion))
      invariant(plan !== undefined, `entitlement inputs hold version ${phase.planVersion} of plan ${phase.plan}`)
      for (const entitlement of plan.entitlements)
        sources.push({ subscription, plan, entitlement, quantity: phase.quantity ?? 1, startMs, endMs })
    }
  }
  return sources
}

const nameOf = (plan: SubscriptionPhase['plan'], version: number): string => `${version} ${plan}`

/** Periods begin with the subscription, not with the phase: a change of plan keeps the usage so far. */
function scheduleOf({ subscription, plan, entitlement }: PlanSource): ResetSchedule {
  return {
    interval: intervalOf(entitlement, plan),
    anchor: entitlement.anchor,
    anchorMs: subscription.anchorMs,
    fromMs: subscription.startMs,
    timezone: subscription.timezone ?? 'UTC',
  }
}

function intervalOf(entitlement: Entitlement, plan: PlanVersion): ResetSchedule['interval'] {
  if (entitlement.reset !== 'interval') return entitlement.reset
  return plan.interval === 'once' ? 'never' : plan.interval
}

function overriddenSchedule(override: EntitlementOverride, ofPlan: ResetSchedule | null): ResetSchedule {
  const { reset, anchor, beganMs, timezone = 'UTC', unplannedReset = 'never' } = override
  const base = ofPlan ?? { interval: unplannedReset, anchor: 'subscription', anchorMs: beganMs, fromMs: beganMs, timezone }
  return { ...base, interval: reset ?? base.interval, anchor: anchor ?? base.anchor }
}

function termsOf(entitlement: Pick<Entitlement, 'rollover' | 'onUncertain'>, limitType: LimitType) {
  return { limitType, rollover: rolloverOf(entitlement.rollover), onUncertain: onUncertainOf(entitlement, limitType) }
}

function rolloverOf(rollover: Entitlement['rollover']): Rollover | null {
  return rollover === null ? null : { percent: rollover.percent, max: unitsOf(rollover.max) }
}

function sumOfLimits(plans: readonly PlanSource[]): bigint | null {
  let sum = 0n
  for (const { entitlement, quantity } of plans) {
    const limit = unitsOf(entitlement.limit)
    if (limit === null) return null
    sum += entitlement.perUnit === true ? limit * BigInt(quantity) : limit
  }
  return sum
}

function unitsOf(quantity: string | null): bigint | null {
  if (quantity === null) return null
  const nano = parseQuantity(quantity)
  invariant(nano !== null, 'a stored quantity is exact')
  return nano
}
