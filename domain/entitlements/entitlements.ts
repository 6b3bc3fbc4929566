import { unreachable } from '../../base/invariant.ts'
import { type AllowanceAccount, openAccount, type TermsChange } from '../allowance/allowance-account.ts'
import type { Feature, LimitType, OnUncertain } from '../catalog/plan.ts'
import { END_OF_TIME_MS, type FeatureKey, type InstantMs } from '../identity.ts'
import { isAdditive, type Meter } from '../metering/meter.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'
import type { EntitlementInputs } from './entitlement-inputs.ts'
import { type EntitlementSources, type MeteredTerms, meteredTermsAt, onUncertainOf, readEntitlementSources } from './entitlement-sources.ts'
import { countingBasis, keptPeriods, type TrackedFeature, trackedDefinition } from './tracked-feature.ts'

/** What a customer has of one feature at one instant, over all of its subscriptions. */
export type EffectiveEntitlement = MeteredEntitlement | BooleanEntitlement | ConfigEntitlement

export type MeteredEntitlement = {
  readonly type: 'metered'
  readonly feature: FeatureKey
  /** The limit of plans or override, without grants and rolled-over units. Nano units; null is unlimited. */
  readonly limit: bigint | null
  readonly limitType: LimitType
  readonly onUncertain: OnUncertain
  /** How the counters follow the feature, with the schedule that cuts its periods. */
  readonly tracked: TrackedFeature
  /** Says what is left where the limit alone does not; null for most. */
  readonly account: AllowanceAccount | null
}
export type BooleanEntitlement = {
  readonly type: 'boolean'
  readonly feature: FeatureKey
  readonly isOn: boolean
  readonly onUncertain: OnUncertain
}
export type ConfigEntitlement = {
  readonly type: 'config'
  readonly feature: FeatureKey
  readonly value: unknown
  readonly onUncertain: OnUncertain
}

/**
 * Combines the subscriptions that are active at `nowMs`, feature by feature, or takes the override. Limits add up; one unlimited
 * limit makes the sum unlimited, one hard limit makes it hard; a boolean is on when any subscription says so; everything else is
 * that of the subscription that started first (ties by id). Ordered as in the plan of the first subscription, then of the next.
 */
export function resolveEntitlements(inputs: EntitlementInputs, nowMs: InstantMs): ReadonlyMap<FeatureKey, EffectiveEntitlement> {
  const sources = readEntitlementSources(inputs)
  const effective = new Map<FeatureKey, EffectiveEntitlement>()
  for (const key of sources.featuresFrom(nowMs)) {
    const entitlement = resolveFeature(inputs, sources, sources.feature(key), nowMs)
    if (entitlement !== null) effective.set(key, entitlement)
  }
  return effective
}

/**
 * Every metered feature of subscriptions that are active or start later, each once, cut into periods as `resolveEntitlements`
 * would at `nowMs`; a feature that is not active yet is cut as at its first active instant.
 */
export function trackedFeatures(inputs: EntitlementInputs, nowMs: InstantMs): TrackedFeature[] {
  const sources = readEntitlementSources(inputs)
  return sources.featuresFrom(nowMs).flatMap((key) => {
    const feature = sources.feature(key)
    if (feature.type !== 'metered') return []
    const entitlement = resolveMetered(inputs, sources, feature, nowMs) ?? resolveAtStart(inputs, sources, feature, nowMs)
    return entitlement === null ? [] : [entitlement.tracked]
  })
}

/**
 * The first instant after `nowMs` at which the same inputs may resolve differently: a start, an end or a change of plan; and
 * where more than the current period counts, the next reset or boundary.
 */
export function entitlementsValidUntilMs(
  inputs: EntitlementInputs,
  entitlements: ReadonlyMap<FeatureKey, EffectiveEntitlement>,
  nowMs: InstantMs,
): InstantMs {
  let untilMs: InstantMs = END_OF_TIME_MS
  const edges = [
    ...inputs.subscriptions.flatMap(({ startMs, endMs, phases }) => [
      startMs,
      endMs,
      ...phases.flatMap((phase) => [phase.startMs, phase.endMs]),
    ]),
    // An override made by a process whose clock is ahead of ours begins later here.
    ...inputs.overrides.flatMap((override) => [override.fromMs, override.untilMs]),
  ]
  for (const edgeMs of edges) if (edgeMs !== null && edgeMs > nowMs && edgeMs < untilMs) untilMs = edgeMs
  for (const entitlement of entitlements.values()) {
    if (entitlement.type !== 'metered' || entitlement.account === null) continue
    const endMs = keptPeriods(entitlement.tracked, nowMs).at(-1)?.endMs ?? untilMs
    if (endMs < untilMs) untilMs = endMs
  }
  return untilMs
}

function resolveFeature(
  inputs: EntitlementInputs,
  sources: EntitlementSources,
  feature: Feature,
  nowMs: InstantMs,
): EffectiveEntitlement | null {
  if (feature.type === 'metered') return resolveMetered(inputs, sources, feature, nowMs)
  const override = sources.overrideAt(feature.key, nowMs)
  const given = override === null ? sources.plansAt(feature.key, nowMs).map(({ entitlement }) => entitlement) : [override]
  const [first] = given
  if (first === undefined) return null
  const onUncertain = onUncertainOf(first, 'soft')
  switch (feature.type) {
    case 'boolean':
      return { type: 'boolean', feature: feature.key, isOn: given.some(({ value }) => value !== false), onUncertain }
    case 'config':
      return { type: 'config', feature: feature.key, value: first.value ?? null, onUncertain }
    default:
      return unreachable(feature.type)
  }
}

function resolveMetered(
  inputs: EntitlementInputs,
  sources: EntitlementSources,
  feature: Feature,
  nowMs: InstantMs,
): MeteredEntitlement | null {
  const terms = meteredTermsAt(sources, feature.key, nowMs)
  if (terms === null) return null
  const meter = sources.meterOf(feature)
  const { limit, limitType, onUncertain, schedule } = terms
  const account = accountOf(inputs, sources, feature, meter, nowMs)
  const { keptFromMs = null, boundariesMs = [] } = account ?? {}
  const tracked = { feature: feature.key, meter, filter: feature.filter, schedule, boundariesMs, keptFromMs }
  const definition = trackedDefinition(tracked)
  return { type: 'metered', feature: feature.key, limit, limitType, onUncertain, tracked: { ...tracked, definition }, account }
}

function resolveAtStart(inputs: EntitlementInputs, sources: EntitlementSources, feature: Feature, nowMs: InstantMs) {
  const startMs = sources.edgesMs(feature.key).find((edgeMs) => edgeMs > nowMs && meteredTermsAt(sources, feature.key, edgeMs) !== null)
  return startMs === undefined ? null : resolveMetered(inputs, sources, feature, startMs)
}

/** Null for most features, which is found out at little cost. */
function accountOf(
  inputs: EntitlementInputs,
  sources: EntitlementSources,
  { key, filter }: Feature,
  meter: Meter,
  nowMs: InstantMs,
): AllowanceAccount | null {
  // Only additive aggregations can burn grants: the maximum of two stretches of time is not the sum of their maxima.
  const grants = isAdditive(meter.aggregation) ? inputs.grants.filter(({ feature }) => feature === key) : []
  const manualResetsMs = inputs.manualResets.filter(({ feature }) => feature === key).map(({ atMs }) => atMs)
  if (grants.length === 0 && manualResetsMs.length === 0 && !sources.hasRollover(key)) return null
  const opening = inputs.openings.find(({ feature }) => feature === key)
  const openingOf = (schedule: ResetSchedule) =>
    opening !== undefined && opening.basis === countingBasis(meter, filter, schedule) ? opening.ledger : null
  return openAccount({ changes: termsChanges(sources, key, nowMs), grants, manualResetsMs, openingOf }, nowMs)
}

function termsChanges(sources: EntitlementSources, feature: FeatureKey, nowMs: InstantMs): readonly TermsChange[] {
  const changes: { fromMs: InstantMs; terms: MeteredTerms | null }[] = []
  for (const fromMs of sources.edgesMs(feature)) {
    if (fromMs > nowMs) break
    changes.push({ fromMs, terms: meteredTermsAt(sources, feature, fromMs) })
  }
  return changes
}
