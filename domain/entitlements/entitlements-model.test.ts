import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { actOutAllowances, type ModelEvent } from '../../test/support/models/allowance-model.ts'
import { at } from '../../test/support/models/burn-down-story.ts'
import { standingAt, usedInPeriods } from '../allowance/allowance-account.ts'
import type { SegmentBounds } from '../allowance/allowance-segment.ts'
import type { Entitlement, Feature, PlanVersion } from '../catalog/plan.ts'
import { cancelSubscription, changePlan, type Subscription } from '../catalog/subscription.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, MeterKey, PlanKey, SubscriptionId, TenantKey } from '../identity.ts'
import type { Meter } from '../metering/meter.ts'
import { allowanceOf, decide, type Spent } from './decision.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from './entitlement-inputs.ts'
import { entitlementsValidUntilMs, type MeteredEntitlement, resolveEntitlements, trackedFeatures } from './entitlements.ts'
import { countingBasis, createPeriodLookup, keptPeriods, type TrackedFeature } from './tracked-feature.ts'

/** Seeds per run; a failure prints its seed and the shortest sequence that fails. */
const RUNS = Number(process.env.TOLLGATE_MODEL_RUNS ?? inLongRun(1_500, 300))
const START = at('2024-01-29 12:00')
const HOUR_MS = 3_600_000
const TOKENS = 'tokens' as FeatureKey
const ACME = 'acme' as CustomerKey

describe('any sequence of events, adjustments, grants, resets, changes of plan and moves of the clock', () => {
  test('leaves what the rules leave when they are acted out unit by unit', () => {
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 1, maxLength: 40 }), (actions) => {
        const world = createWorld()
        for (const action of actions) {
          world.act(action)
          world.check()
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('leaves the same when old segments are folded up on the way', () => {
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 5, maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (actions, segmentsKept) => {
        const world = createWorld()
        // Time before an opening is settled, so no usage comes late here.
        for (const action of actions) world.act(action.kind === 'use' ? { ...action, lateHours: 0 } : action)
        world.fold({ segmentsMax: segmentsKept + 2, segmentsKept })
        world.check()
        world.act({ kind: 'wait', hours: 30 })
        world.check()
      }),
      { numRuns: RUNS },
    )
  })
})

type Action =
  | { readonly kind: 'use'; readonly units: number; readonly lateHours: number }
  | { readonly kind: 'wait'; readonly hours: number }
  | { readonly kind: 'subscribe' | 'change'; readonly plan: string }
  | { readonly kind: 'cancel' | 'deleteOverride' | 'void' | 'reset' }
  | { readonly kind: 'override'; readonly terms: OverrideTermsSpec }
  | {
      readonly kind: 'grant'
      readonly amount: number
      readonly priority: number
      readonly inHours: number
      readonly forHours: number | null
    }
type OverrideTermsSpec = {
  readonly limit: string | null
  readonly reset: 'day' | 'month' | null
  readonly rollover: Entitlement['rollover']
}

const rolloverArbitrary = fc.constantFrom(null, null, { percent: '50', max: '0.000000004' }, { percent: '100', max: null })
const planArbitrary = fc.constantFrom('small', 'big', 'daily', 'rolling', 'hourly', 'unlimited')
const actionArbitrary: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('use'),
      units: fc.integer({ min: -5, max: 9 }),
      lateHours: fc.constantFrom(0, 0, 0, 1, 30, 800),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait'), hours: fc.constantFrom(0, 1, 5, 12, 24, 100, 400, 744) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('subscribe', 'change'), plan: planArbitrary }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'deleteOverride', 'void', 'reset') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('override'),
      terms: fc.record({
        limit: fc.constantFrom('0', '0.000000006', null),
        reset: fc.constantFrom(null, 'day', 'month'),
        rollover: rolloverArbitrary,
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grant'),
      amount: fc.integer({ min: 1, max: 12 }),
      priority: fc.constantFrom(100, 100, 128, 200),
      inHours: fc.constantFrom(0, 0, 1, 48),
      forHours: fc.constantFrom(null, null, 1, 36, 1000),
    }),
  },
) as fc.Arbitrary<Action>

type World = { act(action: Action): void; check(): void; fold(bounds: SegmentBounds): void }

/** One customer as catalog, counters and log would keep it. */
function createWorld(): World {
  let nowMs = START as number
  let inputs: EntitlementInputs = { ...NO_ENTITLEMENT_INPUTS, planVersions: PLANS, features: [FEATURE], meters: [METER] }
  const events: ModelEvent[] = []
  let counters: Counters | null = null
  let cached: { readonly untilMs: number; readonly entitlement: MeteredEntitlement | undefined } | null = null
  let made = 0
  const now = () => nowMs as InstantMs
  const newId = (prefix: string) => `${prefix}${String(made++).padStart(4, '0')}`
  const change = (changed: Partial<EntitlementInputs>) => {
    inputs = { ...inputs, ...changed }
    cached = null
  }
  const changeLast = (decide: (subscription: Subscription) => Subscription) => {
    const last = inputs.subscriptions.findLast(({ endMs }) => endMs === null || endMs > nowMs)
    if (last !== undefined) change({ subscriptions: inputs.subscriptions.map((each) => (each === last ? decide(each) : each)) })
  }
  const endOverride = () => {
    const kept = inputs.overrides.filter(({ fromMs, untilMs }) => untilMs !== null || fromMs < nowMs)
    change({ overrides: kept.map((override) => (override.untilMs === null ? { ...override, untilMs: now() } : override)) })
  }

  function act(action: Action): void {
    switch (action.kind) {
      case 'wait':
        nowMs += action.hours * HOUR_MS
        return
      case 'use': {
        const event = { atMs: Math.max(START, nowMs - action.lateHours * HOUR_MS), units: BigInt(action.units) }
        events.push(event)
        counters?.count(event)
        return
      }
      case 'subscribe':
        if (inputs.subscriptions.length < 6)
          change({ subscriptions: [...inputs.subscriptions, subscription(newId('s'), action.plan, now())] })
        return
      case 'change':
        changeLast((last) => changePlan(last, { plan: action.plan as PlanKey, planVersion: 1 }, now()) as Subscription)
        return
      case 'cancel':
        changeLast((last) => cancelSubscription(last, now()))
        return
      case 'override': {
        const before = inputs.overrides.find(({ untilMs }) => untilMs === null)
        endOverride()
        const ends = { beganMs: before?.beganMs ?? now(), fromMs: now(), untilMs: null }
        const terms = { feature: TOKENS, limitType: 'hard', anchor: null, value: null, ...action.terms } as const
        change({ overrides: [...inputs.overrides, { ...terms, ...ends }] })
        return
      }
      case 'deleteOverride':
        endOverride()
        return
      case 'reset':
        change({ manualResets: [...inputs.manualResets, { feature: TOKENS, atMs: now() }] })
        return
      case 'grant': {
        const effectiveAtMs = (nowMs + action.inHours * HOUR_MS) as InstantMs
        const expiresAtMs = action.forHours === null ? null : ((effectiveAtMs + action.forHours * HOUR_MS) as InstantMs)
        const { priority } = action
        const grant = { id: newId('g') as GrantId, customer: ACME, feature: TOKENS, amount: BigInt(action.amount), priority }
        change({ grants: [...inputs.grants, { ...grant, effectiveAtMs, expiresAtMs, voidedAtMs: null, createdAtMs: now() }] })
        return
      }
      case 'void': {
        const last = inputs.grants.findLast(({ voidedAtMs }) => voidedAtMs === null)
        change({ grants: inputs.grants.map((grant) => (grant === last ? { ...grant, voidedAtMs: now() } : grant)) })
      }
    }
  }

  /** Caches as the api does: resolved entitlements stand until their own expiry. */
  function entitlementNow(): MeteredEntitlement | undefined {
    if (cached === null || nowMs >= cached.untilMs) {
      const resolved = resolveEntitlements(inputs, now())
      const entitlement = resolved.get(TOKENS)
      cached = {
        untilMs: entitlementsValidUntilMs(inputs, resolved, now()),
        entitlement: entitlement?.type === 'metered' ? entitlement : undefined,
      }
    }
    const { entitlement } = cached
    // The aggregator comes to the same definition on its own.
    const tracked = trackedFeatures(inputs, now()).find(({ feature }) => feature === TOKENS)
    if (entitlement !== undefined) expect(tracked?.definition).toBe(entitlement.tracked.definition)
    if (entitlement !== undefined && counters?.definition !== entitlement.tracked.definition)
      counters = track(entitlement.tracked, events, now())
    return entitlement
  }

  function read(entitlement: MeteredEntitlement, bounds?: SegmentBounds) {
    const periods = keptPeriods(entitlement.tracked, now())
    const usedUnits = periods.map(({ startMs }) => counters?.usedIn(startMs) ?? 0n)
    if (entitlement.account === null) return { spent: { usedUnits: usedUnits.at(-1) ?? 0n, heldUnits: 0n } as Spent, folded: null }
    const { burnDown, folded } = standingAt(entitlement.account, now(), usedInPeriods(periods, usedUnits), bounds)
    return { spent: { usedUnits: burnDown.usedUnits, heldUnits: 0n, burnDown } as Spent, folded }
  }

  return {
    act,
    fold(bounds) {
      const entitlement = entitlementNow()
      if (entitlement === undefined) return
      const { folded } = read(entitlement, bounds)
      if (folded === null) return
      const { meter, filter, schedule } = entitlement.tracked
      change({ openings: [{ feature: TOKENS, basis: countingBasis(meter, filter, schedule), ledger: folded }] })
    },
    check() {
      const expected = actOutAllowances(inputs, events, nowMs)
      const entitlement = entitlementNow()
      if (entitlement === undefined || expected === null) {
        expect([entitlement, expected]).toEqual([undefined, null])
        return
      }
      const { spent } = read(entitlement)
      const allowance = allowanceOf(entitlement, spent)
      const sources = spent.burnDown?.sources ?? []
      const grants = sources.flatMap(({ source, left }) =>
        source.kind === 'grant' && left ? [[source.grant.id as string, left] as const] : [],
      )
      const rollover = sources.find(({ source }) => source.kind === 'rollover')?.left ?? 0n
      const { usedUnits: used, overage, remaining } = allowance
      expect({ used, overage, remaining, rollover, grants: new Map(grants) }).toEqual(expected)
      if (remaining === null) return
      const isHard = entitlement.limitType === 'hard'
      expect(decide(entitlement, spent, remaining + 1n).allowed).toBe(!isHard)
      if (remaining > 0n) expect(decide(entitlement, spent, remaining).code).toBe('within_limit')
    },
  }
}

type Counters = { readonly definition: string; count(event: ModelEvent): void; usedIn(startMs: InstantMs): bigint | undefined }

/** Computed once from all events; later events add to it, under the definition that it was tracked with. */
function track(tracked: TrackedFeature, events: readonly ModelEvent[], nowMs: InstantMs): Counters {
  const cursor = createPeriodLookup(tracked)
  const fromMs = keptPeriods(tracked, nowMs)[0]?.startMs ?? nowMs
  const used = new Map<number, bigint>()
  const count = ({ atMs, units }: ModelEvent) => {
    if (atMs < fromMs) return
    const { startMs } = cursor.at(atMs as InstantMs)
    used.set(startMs, (used.get(startMs) ?? 0n) + units)
  }
  for (const event of events) count(event)
  return { definition: tracked.definition, count, usedIn: (startMs) => used.get(startMs) }
}

const METER: Meter = {
  tenant: 'default' as TenantKey,
  key: 'm' as MeterKey,
  revision: 1,
  eventType: 'e',
  aggregation: 'sum',
  value: ['v'],
  dimensions: {},
}
const FEATURE: Feature = { key: TOKENS, name: 'Tokens', type: 'metered', meter: METER.key, filter: {}, unit: null }

const entitlementOf = (change: Partial<Entitlement>): Entitlement => ({
  feature: TOKENS,
  limit: '0.000000008',
  limitType: 'hard',
  reset: 'month',
  anchor: 'subscription',
  rollover: null,
  value: null,
  ...change,
})
const planOf = (plan: string, change: Partial<Entitlement>) =>
  ({ plan, version: 1, interval: 'month', entitlements: [entitlementOf(change)] }) as unknown as PlanVersion
const PLANS = [
  planOf('small', {}),
  planOf('big', { limit: '0.000000020', limitType: 'soft' }),
  planOf('daily', { reset: 'day', anchor: 'calendar' }),
  planOf('rolling', { rollover: { percent: '50', max: '0.000000006' } }),
  planOf('hourly', { reset: 'hour', rollover: { percent: '25', max: null } }),
  planOf('unlimited', { limit: null }),
]

function subscription(id: string, plan: string, startMs: InstantMs): Subscription {
  const phase = { plan: plan as PlanKey, planVersion: 1, startMs, endMs: null }
  return { id: id as SubscriptionId, customer: ACME, startMs, anchorMs: startMs, endMs: null, phases: [phase] }
}
