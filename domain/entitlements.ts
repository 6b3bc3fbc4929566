import { parseQuantity } from './decimal.ts'
import type { EntitlementInputs } from './entitlement-inputs.ts'
import { END_OF_TIME_MS, type FeatureKey, type InstantMs } from './identity.ts'
import { invariant, unreachable } from './invariant.ts'
import type { DimensionFilter, Entitlement, Feature, LimitType, PlanVersion } from './plan.ts'
import type { ResetSchedule } from './reset-schedule.ts'
import type { Subscription, SubscriptionPhase } from './subscription.ts'
import type { TrackedFeature } from './tracked-feature.ts'

/** What a customer has of one feature at one instant, over all of its subscriptions. */
export type EffectiveEntitlement = MeteredEntitlement | BooleanEntitlement | ConfigEntitlement

export type MeteredEntitlement = {
  readonly type: 'metered'
  readonly feature: FeatureKey
  /** Nano units; null is unlimited. */
  readonly limit: bigint | null
  readonly limitType: LimitType
  /** How the counters follow it, with the schedule that cuts its periods. */
  readonly tracked: TrackedFeature
}
export type BooleanEntitlement = { readonly type: 'boolean'; readonly feature: FeatureKey; readonly isOn: boolean }
export type ConfigEntitlement = { readonly type: 'config'; readonly feature: FeatureKey; readonly value: unknown }

/**
 * Combines the subscriptions that are active at `nowMs`, feature by feature. Limits add, one unlimited makes it
 * unlimited, one hard makes it hard; a boolean is on when any says so; periods and config values are those of the
 * subscription that started first (ties by id). Plan order of the first subscription, then of the next.
 */
export function resolveEntitlements(inputs: EntitlementInputs, nowMs: InstantMs): ReadonlyMap<FeatureKey, EffectiveEntitlement> {
  const catalog = indexInputs(inputs)
  const sources = new Map<FeatureKey, Source[]>()
  for (const source of sourcesFrom(inputs, catalog, nowMs)) {
    if (source.phase.startMs > nowMs) continue
    const others = sources.get(source.entitlement.feature)
    if (others === undefined) sources.set(source.entitlement.feature, [source])
    else others.push(source)
  }
  const effective = new Map<FeatureKey, EffectiveEntitlement>()
  for (const [key, ofFeature] of sources) effective.set(key, combine(catalog.feature(key), ofFeature, catalog))
  return effective
}

/**
 * Every metered feature of subscriptions that are active or start later, each once, cut into periods as
 * `resolveEntitlements` would at `nowMs`; where nothing is active yet, as at the first instant that something is.
 */
export function trackedFeatures(inputs: EntitlementInputs, nowMs: InstantMs): TrackedFeature[] {
  const catalog = indexInputs(inputs)
  const tracked = new Map<FeatureKey, TrackedFeature>()
  for (const source of sourcesFrom(inputs, catalog, nowMs)) {
    const feature = catalog.feature(source.entitlement.feature)
    if (feature.type !== 'metered' || tracked.has(feature.key)) continue
    tracked.set(feature.key, track(feature, source, catalog))
  }
  return [...tracked.values()]
}

/** The first instant after `nowMs` at which the same inputs may resolve otherwise: a start, an end or a change of plan. */
export function entitlementsValidUntilMs(inputs: EntitlementInputs, nowMs: InstantMs): InstantMs {
  let untilMs: InstantMs = END_OF_TIME_MS
  for (const subscription of inputs.subscriptions) {
    const edges = [subscription.startMs, subscription.endMs, ...subscription.phases.flatMap((phase) => [phase.startMs, phase.endMs])]
    for (const edgeMs of edges) if (edgeMs !== null && edgeMs > nowMs && edgeMs < untilMs) untilMs = edgeMs
  }
  return untilMs
}

/** One entitlement of one phase of a subscription. */
type Source = {
  readonly subscription: Subscription
  readonly phase: SubscriptionPhase
  readonly plan: PlanVersion
  readonly entitlement: Entitlement
}

/** Of phases not over at `nowMs`: those under way first, by start of the subscription; then later ones, by their own start. */
function sourcesFrom(inputs: EntitlementInputs, catalog: CatalogIndex, nowMs: InstantMs): Source[] {
  const phases: { readonly subscription: Subscription; readonly phase: SubscriptionPhase; readonly laterMs: number }[] = []
  for (const subscription of inputs.subscriptions) {
    const endMs = subscription.endMs ?? END_OF_TIME_MS
    for (const phase of subscription.phases) {
      const isEmpty = phase.startMs >= endMs || phase.startMs === phase.endMs
      if (isEmpty || Math.min(phase.endMs ?? END_OF_TIME_MS, endMs) <= nowMs) continue
      phases.push({ subscription, phase, laterMs: phase.startMs > nowMs ? phase.startMs : Number.NEGATIVE_INFINITY })
    }
  }
  phases.sort(
    (a, b) =>
      order(a.laterMs, b.laterMs) || order(a.subscription.startMs, b.subscription.startMs) || order(a.subscription.id, b.subscription.id),
  )
  return phases.flatMap(({ subscription, phase }) => {
    const plan = catalog.plan(phase)
    return plan.entitlements.map((entitlement) => ({ subscription, phase, plan, entitlement }))
  })
}

function combine(feature: Feature, sources: readonly Source[], catalog: CatalogIndex): EffectiveEntitlement {
  const [first] = sources
  invariant(first !== undefined, 'a feature is combined from at least one entitlement')
  switch (feature.type) {
    case 'metered': {
      const limits = sources.map(({ entitlement }) => entitlement.limit)
      const limitType = sources.some(({ entitlement }) => entitlement.limitType === 'hard') ? 'hard' : 'soft'
      return { type: 'metered', feature: feature.key, limit: sumOfLimits(limits), limitType, tracked: track(feature, first, catalog) }
    }
    case 'boolean':
      return { type: 'boolean', feature: feature.key, isOn: sources.some(({ entitlement }) => entitlement.value !== false) }
    case 'config':
      return { type: 'config', feature: feature.key, value: first.entitlement.value ?? null }
    default:
      return unreachable(feature.type)
  }
}

function sumOfLimits(limits: readonly (string | null)[]): bigint | null {
  let sum = 0n
  for (const limit of limits) {
    if (limit === null) return null
    const nano = parseQuantity(limit)
    invariant(nano !== null, 'a stored limit is an exact quantity')
    sum += nano
  }
  return sum
}

function track(feature: Feature, source: Source, catalog: CatalogIndex): TrackedFeature {
  const meter = catalog.meterOf(feature)
  const schedule = scheduleOf(source)
  return {
    feature: feature.key,
    meter,
    filter: feature.filter,
    schedule,
    definition: definitionOf(meter.revision, feature.filter, schedule),
  }
}

/** Periods begin with the subscription, not with the phase: a change of plan keeps the usage so far. */
function scheduleOf({ subscription, plan, entitlement }: Source): ResetSchedule {
  return {
    interval: intervalOf(entitlement, plan),
    anchor: entitlement.anchor,
    anchorMs: subscription.anchorMs,
    fromMs: subscription.startMs,
    timezone: 'UTC',
  }
}

function intervalOf(entitlement: Entitlement, plan: PlanVersion): ResetSchedule['interval'] {
  if (entitlement.reset !== 'interval') return entitlement.reset
  return plan.interval === 'once' ? 'never' : plan.interval
}

/** Canonical: order and repetition inside the filter do not matter. */
function definitionOf(revision: number, filter: DimensionFilter, schedule: ResetSchedule): string {
  const names = Object.keys(filter).sort()
  const canonicalFilter = names.map((name) => [name, [...new Set(filter[name])].sort()])
  const { interval, anchor, anchorMs, fromMs, timezone } = schedule
  return JSON.stringify([revision, canonicalFilter, interval, anchor, anchorMs, fromMs, timezone])
}

type CatalogIndex = {
  plan(phase: SubscriptionPhase): PlanVersion
  feature(key: FeatureKey): Feature
  meterOf(feature: Feature): TrackedFeature['meter']
}

function indexInputs(inputs: EntitlementInputs): CatalogIndex {
  const plans = new Map(inputs.planVersions.map((version) => [`${version.version} ${version.plan}`, version]))
  const features = new Map(inputs.features.map((feature) => [feature.key, feature]))
  const meters = new Map(inputs.meters.map((meter) => [meter.key, meter]))
  return {
    plan(phase) {
      const plan = plans.get(`${phase.planVersion} ${phase.plan}`)
      invariant(plan !== undefined, `entitlement inputs hold version ${phase.planVersion} of plan ${phase.plan}`)
      return plan
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
  }
}

function order<Value extends number | string>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0
}
