import { describe, expect, test } from 'vitest'
import type { Grant } from '../allowance/grant.ts'
import type { Entitlement, Feature, PlanVersion } from '../catalog/plan.ts'
import type { Subscription, SubscriptionPhase } from '../catalog/subscription.ts'
import { NANO } from '../decimal.ts'
import { type CustomerKey, END_OF_TIME_MS, type FeatureKey, type GrantId, type InstantMs } from '../identity.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from './entitlement-inputs.ts'
import type { EntitlementOverride } from './entitlement-override.ts'
import { entitlementsValidUntilMs, resolveEntitlements, trackedFeatures } from './entitlements.ts'

const TOKENS = 'tokens' as FeatureKey
const NOW = 1000 as InstantMs

describe('several subscriptions to one feature', () => {
  test.each([
    { name: 'limits add', limits: ['100', '0.000000001'], limit: 100n * NANO + 1n },
    { name: 'one unlimited makes it unlimited', limits: ['100', null], limit: null },
    { name: 'one alone', limits: ['7'], limit: 7n * NANO },
  ])('$name', ({ limits, limit }) => {
    const plans = limits.map((value, index) => plan(`p${index}`, [entitlement({ limit: value })]))
    const resolved = resolve(
      plans,
      plans.map((version) => subscription({ plan: version.plan })),
    )
    expect(resolved.get(TOKENS)).toMatchObject({ type: 'metered', limit })
  })

  test.each([
    { types: ['soft', 'soft'] as const, limitType: 'soft' },
    { types: ['soft', 'hard'] as const, limitType: 'hard' },
    { types: ['hard', 'soft'] as const, limitType: 'hard' },
  ])('$types is $limitType', ({ types, limitType }) => {
    const plans = types.map((type, index) => plan(`p${index}`, [entitlement({ limitType: type })]))
    const subscriptions = plans.map((version) => subscription({ plan: version.plan }))
    expect(resolve(plans, subscriptions).get(TOKENS)).toMatchObject({ limitType })
  })

  test('the period comes from the first subscription to start among those with the feature, ties by id', () => {
    const plans = [plan('monthly', [entitlement({ reset: 'month' })]), plan('daily', [entitlement({ reset: 'day' })]), plan('empty', [])]
    const started = (id: string, name: string, startMs: number) => subscription({ id, plan: name, startMs, anchorMs: startMs + 1 })
    const scheduleOf = (...subscriptions: Subscription[]) => {
      const effective = resolve(plans, subscriptions).get(TOKENS)
      return effective?.type === 'metered' ? effective.tracked.schedule : undefined
    }
    expect(scheduleOf(started('b', 'monthly', 20), started('a', 'daily', 10), started('c', 'empty', 5))).toEqual({
      interval: 'day',
      anchor: 'subscription',
      anchorMs: 11,
      fromMs: 10,
      timezone: 'UTC',
    })
    expect(scheduleOf(started('b', 'monthly', 10), started('a', 'daily', 10))?.interval).toBe('day')
  })
})

describe('an override', () => {
  const override = (change: Partial<EntitlementOverride> = {}): EntitlementOverride => ({
    ...entitlement({ limit: '7', limitType: 'hard' }),
    reset: null,
    anchor: null,
    beganMs: 900 as InstantMs,
    fromMs: 900 as InstantMs,
    untilMs: null,
    ...change,
  })
  const withOverrides = (
    overrides: EntitlementOverride[],
    subscriptions = [subscription({ plan: 'p' }), subscription({ id: 'b', plan: 'p' })],
  ) => resolveEntitlements({ ...inputs([plan('p', [entitlement({ limit: '100', reset: 'day' })])], subscriptions), overrides }, NOW)

  test.each([
    { when: 'in force', change: {}, limit: 7n },
    { when: 'begun now', change: { fromMs: 1000 as InstantMs }, limit: 7n },
    { when: 'ended now', change: { untilMs: 1000 as InstantMs }, limit: 200n },
    { when: 'ending later', change: { untilMs: 1001 as InstantMs }, limit: 7n },
  ])('$when', ({ change, limit }) => {
    expect(withOverrides([override(change)]).get(TOKENS)).toMatchObject({ limit: limit * NANO, limitType: limit === 7n ? 'hard' : 'soft' })
  })

  test.each([
    { why: 'says nothing: as the plan has it', change: {}, interval: 'day', anchor: 'subscription' },
    { why: 'says so: by the override', change: { reset: 'week', anchor: 'calendar' } as const, interval: 'week', anchor: 'calendar' },
  ])('when it resets, where it $why', ({ change, interval, anchor }) => {
    const effective = withOverrides([override(change)]).get(TOKENS)
    expect(effective).toMatchObject({ tracked: { schedule: { interval, anchor, fromMs: 0, anchorMs: 0 } } })
  })

  test('without any subscription counts its periods from when overrides began', () => {
    const effective = withOverrides([override({ fromMs: 950 as InstantMs })], []).get(TOKENS)
    expect(effective).toMatchObject({ limit: 7n * NANO, tracked: { schedule: { interval: 'never', fromMs: 900, anchorMs: 900 } } })
    const lone = { ...inputs([], []), overrides: [override()] }
    expect(trackedFeatures(lone, NOW)).toEqual([effective?.type === 'metered' ? effective.tracked : undefined])
  })

  test.each([
    {
      title: 'from before, which refilled monthly',
      change: { unplannedReset: 'month' as const },
      schedule: { interval: 'month', timezone: 'UTC' },
    },
    {
      title: 'of a customer with a zone',
      change: { reset: 'day', anchor: 'calendar', timezone: 'Asia/Tokyo' } as const,
      schedule: { interval: 'day', timezone: 'Asia/Tokyo' },
    },
  ])('without a plan, $title', ({ change, schedule }) => {
    expect(withOverrides([override(change)], []).get(TOKENS)).toMatchObject({ tracked: { schedule } })
  })

  test('resets in the zone of the subscription that gives the feature, also by an override with another zone', () => {
    const inTokyo = { ...subscription({ plan: 'p' }), timezone: 'Asia/Tokyo' }
    const schedule = { interval: 'day', timezone: 'Asia/Tokyo' }
    expect(withOverrides([], [inTokyo]).get(TOKENS)).toMatchObject({ tracked: { schedule } })
    expect(withOverrides([override({ timezone: 'Europe/Berlin' })], [inTokyo]).get(TOKENS)).toMatchObject({ tracked: { schedule } })
  })

  test('turns a boolean on or off and gives a config its value', () => {
    const of = (feature: string, value: unknown) => override({ feature: feature as FeatureKey, value })
    const resolved = withOverrides([of('sso', false), of('region', 'us')])
    expect(resolved.get('sso' as FeatureKey)).toMatchObject({ isOn: false })
    expect(resolved.get('region' as FeatureKey)).toMatchObject({ value: 'us' })
  })
})

describe('when counters of more than the period under way are kept', () => {
  const grant = (effectiveAtMs: number, expiresAtMs: number | null = null): Grant => ({
    id: 'g' as GrantId,
    customer: 'acme' as CustomerKey,
    feature: TOKENS,
    amount: 1n,
    priority: 100,
    effectiveAtMs: effectiveAtMs as InstantMs,
    expiresAtMs: expiresAtMs as InstantMs | null,
    voidedAtMs: null,
    createdAtMs: 0 as InstantMs,
  })
  const HOUR_MS = 3_600_000
  const IN_THIRD_HOUR = (2.5 * HOUR_MS) as InstantMs
  const trackedWith = (more: Partial<EntitlementInputs>, change: Partial<Entitlement> = {}, aggregation = 'sum') => {
    const data = inputs([plan('p', [entitlement({ reset: 'hour', ...change })])], [subscription({ plan: 'p' })])
    const meters = data.meters.map((meter) => ({ ...meter, aggregation })) as typeof data.meters
    return trackedFeatures({ ...data, meters, ...more }, IN_THIRD_HOUR)[0]
  }

  test.each([
    { why: 'nothing but a plan', more: {}, kept: null, boundaries: [] },
    { why: 'a grant that is over', more: { grants: [grant(0, 1.5 * HOUR_MS)] }, kept: null, boundaries: [] },
    { why: 'a grant from the start on', more: { grants: [grant(0)] }, kept: 0, boundaries: [] },
    {
      why: 'a grant that began and will end',
      more: { grants: [grant(1.5 * HOUR_MS, 9 * HOUR_MS)] },
      kept: HOUR_MS,
      boundaries: [1.5 * HOUR_MS, 9 * HOUR_MS],
    },
    { why: 'a grant to come', more: { grants: [grant(5.5 * HOUR_MS)] }, kept: 2 * HOUR_MS, boundaries: [5.5 * HOUR_MS] },
    { why: 'rollover', more: {}, change: { rollover: { percent: '50', max: null } }, kept: 0, boundaries: [] },
    {
      why: 'a reset by hand in this period',
      more: { manualResets: [{ feature: TOKENS, atMs: (2.25 * HOUR_MS) as InstantMs }] },
      kept: 2.25 * HOUR_MS,
      boundaries: [2.25 * HOUR_MS],
    },
    {
      why: 'a reset by hand in a period that is over',
      more: { manualResets: [{ feature: TOKENS, atMs: 1 as InstantMs }] },
      kept: null,
      boundaries: [],
    },
    { why: 'a grant of a meter that does not add up', more: { grants: [grant(0)] }, aggregation: 'unique', kept: null, boundaries: [] },
  ])('$why: from $kept', ({ more, change, aggregation, kept, boundaries }) => {
    const tracked = trackedWith(more, change, aggregation)
    expect([tracked?.keptFromMs, tracked?.boundariesMs]).toEqual([kept, boundaries])
    expect(tracked?.definition === trackedWith({})?.definition).toBe(kept === null)
  })

  test('resolved entitlements stand until the next cut', () => {
    const data = { ...inputs([plan('p', [entitlement({ reset: 'hour' })])], [subscription({ plan: 'p' })]) }
    const untilMs = (grants: Grant[]) =>
      entitlementsValidUntilMs({ ...data, grants }, resolveEntitlements({ ...data, grants }, IN_THIRD_HOUR), IN_THIRD_HOUR)
    expect([untilMs([]), untilMs([grant(0)]), untilMs([grant(0, 2.75 * HOUR_MS)])]).toEqual([END_OF_TIME_MS, 3 * HOUR_MS, 2.75 * HOUR_MS])
  })
})

describe('what is active', () => {
  test.each([
    { name: 'before the start', startMs: 1001, endMs: null, isActive: false },
    { name: 'at the start', startMs: 1000, endMs: null, isActive: true },
    { name: 'in the last millisecond', startMs: 0, endMs: 1001, isActive: true },
    { name: 'at the end', startMs: 0, endMs: 1000, isActive: false },
  ])('$name', ({ startMs, endMs, isActive }) => {
    const resolved = resolve([plan('p', [entitlement({})])], [subscription({ plan: 'p', startMs, endMs })])
    expect(resolved.has(TOKENS)).toBe(isActive)
  })

  test('a change of plan swaps limits at its instant and keeps the usage', () => {
    const plans = [plan('small', [entitlement({ limit: '10' })]), plan('big', [entitlement({ limit: '20' })])]
    const subscriptions = [{ ...subscription({ plan: 'small', startMs: 0 }), phases: [phase('small', 0, 1000), phase('big', 1000, null)] }]
    const before = resolveEntitlements(inputs(plans, subscriptions), 999 as InstantMs).get(TOKENS)
    const after = resolveEntitlements(inputs(plans, subscriptions), NOW).get(TOKENS)
    expect(before).toMatchObject({ limit: 10n * NANO })
    expect(after).toMatchObject({ limit: 20n * NANO })
    expect(before?.type === 'metered' && before.tracked).toEqual(after?.type === 'metered' && after.tracked)
  })

  test('it may change at every start, end and change of plan, and not before', () => {
    const subscriptions = [
      { ...subscription({ plan: 'p', startMs: 0, endMs: 5000 }), phases: [phase('p', 0, 3000), phase('p', 3000, null)] },
      subscription({ id: 'later', plan: 'p', startMs: 4000 }),
    ]
    const data = inputs([plan('p', [])], subscriptions)
    const overridden = { ...data, overrides: [{ ...entitlement({}), reset: null, anchor: null, beganMs: 0, fromMs: 6000, untilMs: null }] }
    expect(entitlementsValidUntilMs(overridden as never, new Map(), 5000 as InstantMs)).toBe(6000)
    const untilMs = [-1, 0, 2999, 3000, 4000, 5000].map((nowMs) => entitlementsValidUntilMs(data, new Map(), nowMs as InstantMs))
    expect(untilMs).toEqual([0, 3000, 3000, 4000, 5000, END_OF_TIME_MS])
  })
})

describe('features that are not metered', () => {
  test.each([
    { values: [undefined], isOn: true },
    { values: [null], isOn: true },
    { values: [false], isOn: false },
    { values: [false, true], isOn: true },
  ])('boolean $values is $isOn', ({ values, isOn }) => {
    const plans = values.map((value, index) => plan(`p${index}`, [entitlement({ feature: 'sso' as FeatureKey, value })]))
    const subscriptions = plans.map((version) => subscription({ plan: version.plan }))
    expect(resolve(plans, subscriptions).get('sso' as FeatureKey)).toEqual({ type: 'boolean', feature: 'sso', isOn, onUncertain: 'allow' })
  })

  test('config has the value of the subscription that started first', () => {
    const region = 'region' as FeatureKey
    const plans = ['eu', 'us'].map((value) => plan(value, [entitlement({ feature: region, value })]))
    const subscriptions = [subscription({ id: 'a', plan: 'eu', startMs: 2 }), subscription({ id: 'b', plan: 'us', startMs: 1 })]
    expect(resolve(plans, subscriptions).get(region)).toEqual({ type: 'config', feature: region, value: 'us', onUncertain: 'allow' })
  })
})

describe('tracked features', () => {
  test('those of subscriptions to come are there; those that are over, and those not metered, are not', () => {
    const plans = [
      plan('now', [entitlement({}), entitlement({ feature: 'sso' as FeatureKey })]),
      plan('later', [entitlement({}), entitlement({ feature: 'runs' as FeatureKey })]),
      plan('over', [entitlement({ feature: 'old' as FeatureKey })]),
    ]
    const subscriptions = [
      subscription({ id: 'z', plan: 'later', startMs: 2000 }),
      subscription({ id: 'y', plan: 'now', startMs: 500 }),
      subscription({ id: 'x', plan: 'over', startMs: 0, endMs: 400 }),
    ]
    const tracked = trackedFeatures(inputs(plans, subscriptions), NOW)
    expect(tracked.map(({ feature, schedule }) => [feature, schedule.fromMs])).toEqual([
      ['tokens', 500],
      ['runs', 2000],
    ])
    const effective = resolve(plans, subscriptions).get(TOKENS)
    expect(effective?.type === 'metered' && effective.tracked).toEqual(tracked[0])
  })

  test.each([
    { reset: 'interval', interval: 'month', expected: 'month' },
    { reset: 'interval', interval: '3months', expected: '3months' },
    { reset: 'interval', interval: 'once', expected: 'never' },
    { reset: 'hour', interval: 'year', expected: 'hour' },
  ] as const)('reset $reset on a plan of $interval is $expected', ({ reset, interval, expected }) => {
    const version = { ...plan('p', [entitlement({ reset })]), interval }
    const [tracked] = trackedFeatures(inputs([version], [subscription({ plan: 'p' })]), NOW)
    expect(tracked?.schedule.interval).toBe(expected)
  })

  test('a definition is the same for the same meaning and another for another', () => {
    const definitionOf = (revision: number, filter: Feature['filter'], startMs = 0, reset: Entitlement['reset'] = 'month') => {
      const data = inputs([plan('p', [entitlement({ reset })])], [subscription({ plan: 'p', startMs })], { revision, filter })
      return trackedFeatures(data, NOW)[0]?.definition
    }
    const base = definitionOf(1, { model: ['a', 'b'], kind: ['x'] })
    expect(definitionOf(1, { kind: ['x'], model: ['b', 'a', 'a'] })).toBe(base)
    const others = [
      definitionOf(2, { model: ['a', 'b'], kind: ['x'] }),
      definitionOf(1, { model: ['a'], kind: ['x'] }),
      definitionOf(1, { model: ['a', 'b'] }),
      definitionOf(1, { model: ['a', 'b'], kind: ['x'] }, 1),
      definitionOf(1, { model: ['a', 'b'], kind: ['x'] }, 0, 'day'),
    ]
    expect(new Set([base, ...others]).size).toBe(others.length + 1)
  })
})

function resolve(plans: PlanVersion[], subscriptions: Subscription[]) {
  return resolveEntitlements(inputs(plans, subscriptions), NOW)
}

function inputs(
  planVersions: PlanVersion[],
  subscriptions: Subscription[],
  change: { revision?: number; filter?: Feature['filter'] } = {},
): EntitlementInputs {
  const feature = (key: string, type: Feature['type']) => ({
    key,
    name: key,
    type,
    meter: type === 'metered' ? 'm' : null,
    filter: change.filter ?? {},
    unit: null,
  })
  return {
    ...NO_ENTITLEMENT_INPUTS,
    subscriptions,
    planVersions,
    features: [
      ...['tokens', 'runs', 'old'].map((key) => feature(key, 'metered')),
      feature('sso', 'boolean'),
      feature('region', 'config'),
    ] as Feature[],
    meters: [
      { tenant: 'default', key: 'm', revision: change.revision ?? 1, eventType: 'e', aggregation: 'sum', value: ['v'], dimensions: {} },
    ] as never,
  }
}

function entitlement(change: Partial<Entitlement>): Entitlement {
  return {
    feature: TOKENS,
    limit: '1',
    limitType: 'soft',
    reset: 'month',
    anchor: 'subscription',
    rollover: null,
    value: undefined,
    ...change,
  }
}

function plan(name: string, entitlements: Entitlement[]): PlanVersion {
  const text = { plan: name, product: 'product', name, currency: 'EUR', interval: 'month', baseFee: null }
  return { ...text, version: 1, charges: [], entitlements } as unknown as PlanVersion
}

function subscription(change: { id?: string; plan: string; startMs?: number; anchorMs?: number; endMs?: number | null }): Subscription {
  const { id = 'sub', plan: name, startMs = 0, anchorMs = startMs, endMs = null } = change
  return { id, customer: 'acme', startMs, anchorMs, endMs, phases: [phase(name, startMs, null)] } as unknown as Subscription
}

function phase(name: string, startMs: number, endMs: number | null): SubscriptionPhase {
  return { plan: name, planVersion: 1, startMs, endMs } as unknown as SubscriptionPhase
}
