import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { Change } from '../adapters/database/changes.ts'
import { createChangeListeners } from '../adapters/database/engine/change-listeners.ts'
import type { Feature } from '../domain/catalog/plan.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../domain/identity.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { createEntitlementCache } from './entitlement-cache.ts'

const TENANT = 'default' as TenantKey
const ACME = 'acme' as CustomerKey
const TOKENS = 'tokens' as FeatureKey

test('a customer is read once, also by many at once, and then answered without a promise', async () => {
  const { cache, pending, answer } = openCache()
  const first = [cache.entitlementsOf(TENANT, ACME), cache.entitlementsOf(TENANT, ACME)]
  expect(pending).toHaveLength(1)
  answer(inputs({ value: 'a' }))
  await Promise.all(first)
  expect(regionOf(await cache.entitlementsOf(TENANT, ACME))).toBe('a')
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
})

test.each([
  { topic: 'subscriptions', key: 'acme', isForgotten: true },
  { topic: 'customers', key: 'acme', isForgotten: true },
  { topic: 'overrides', key: 'acme', isForgotten: true },
  { topic: 'grants', key: 'acme', isForgotten: true },
  { topic: 'resets', key: 'acme', isForgotten: true },
  { topic: 'allowance_openings', key: 'acme', isForgotten: true },
  { topic: 'overrides', key: 'other', isForgotten: false },
  { topic: 'subscriptions', key: 'other', isForgotten: false },
  { topic: 'plans', key: 'pro', isForgotten: true },
  { topic: 'features', key: 'runs', isForgotten: true },
  { topic: 'meters', key: 'm', isForgotten: true },
  { topic: 'products', key: 'p', isForgotten: false },
  { topic: 'keys', key: 'k', isForgotten: false },
] as const)('after a change of $topic $key it is read again: $isForgotten', async ({ topic, key, isForgotten }) => {
  const { cache, change, pending, answer } = openCache()
  const loaded = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'a' }))
  await loaded
  change({ tenant: 'other' as TenantKey, topic, key } as Change)
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
  change({ tenant: TENANT, topic, key } as Change)
  void cache.entitlementsOf(TENANT, ACME)
  expect(pending).toHaveLength(isForgotten ? 1 : 0)
})

test.each(['subscriptions', 'plans'] as const)('a load that a change of %s overtook is not kept and not joined', async (topic) => {
  const { cache, change, answer } = openCache()
  const before = cache.entitlementsOf(TENANT, ACME)
  change({ tenant: TENANT, topic, key: 'acme' } as Change)
  const after = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'old' }))
  answer(inputs({ value: 'new' }))
  expect(regionOf(await before)).toBe('old')
  expect(regionOf(await after)).toBe('new')
  expect(regionOf(await cache.entitlementsOf(TENANT, ACME))).toBe('new')
})

test('it is read again when time alone changes it', async () => {
  const { cache, clock, pending, answer } = openCache()
  const loaded = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'a', startMs: 0, endMs: 50 }))
  expect(regionOf(await loaded)).toBe('a')
  clock.nowMs = 49
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
  clock.nowMs = 50
  const again = cache.entitlementsOf(TENANT, ACME)
  expect(pending).toHaveLength(1)
  answer(inputs({ value: 'a', startMs: 0, endMs: 50 }))
  expect((await again).entitlements.size).toBe(0)
})

test('it is all read again when changes may have been missed, and what was known is remembered until then', async () => {
  const { cache, missChanges, pending, answer } = openCache()
  const loaded = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'a' }))
  await loaded
  missChanges()
  const again = cache.entitlementsOf(TENANT, ACME)
  expect(pending).toHaveLength(1)
  expect(regionOf(cache.lastKnown(TENANT, ACME) ?? { entitlements: new Map() })).toBe('a')
  answer(inputs({ value: 'b' }))
  expect(regionOf(await again)).toBe('b')
  expect(regionOf(cache.lastKnown(TENANT, ACME) ?? { entitlements: new Map() })).toBe('b')
})

test('while changes go unheard it is read again at the age of ten seconds', async () => {
  const { cache, clock, pending, answer } = openCache()
  const loaded = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'a' }))
  await loaded
  clock.nowMs = 10_000
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
  clock.nowMs = 10_001
  const again = cache.entitlementsOf(TENANT, ACME)
  expect(pending).toHaveLength(1)
  answer(inputs({ value: 'b' }))
  await again
  clock.nowMs = 20_001
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
  clock.nowMs = 30_000
  clock.heardUpToMs = 29_000
  expect(cache.entitlementsOf(TENANT, ACME)).not.toBeInstanceOf(Promise)
})

test('a load that failed is tried again', async () => {
  const { cache, pending, answer } = openCache()
  const failed = cache.entitlementsOf(TENANT, ACME)
  pending.shift()?.reject(new Error('down'))
  await expect(failed).rejects.toThrow('down')
  const again = cache.entitlementsOf(TENANT, ACME)
  answer(inputs({ value: 'a' }))
  expect(regionOf(await again)).toBe('a')
})

test('it holds a bounded number of customers and forgets the one not asked for the longest', async () => {
  const { cache, pending, answer } = openCache(2)
  const ask = async (customer: string) => {
    const asked = cache.entitlementsOf(TENANT, customer as CustomerKey)
    const isLoad = pending.length > 0
    if (isLoad) answer(inputs({ value: customer }))
    await asked
    return isLoad
  }
  const loads = []
  for (const customer of ['a', 'b', 'a', 'c', 'a', 'b']) loads.push(await ask(customer))
  expect(loads).toEqual([true, true, false, true, false, true])
})

test('features are cached, unknown ones too, until they change', async () => {
  const { cache, change, features } = openCache()
  expect(await cache.feature(TENANT, TOKENS)).toBeNull()
  features.set(TOKENS, { key: TOKENS } as Feature)
  expect(cache.feature(TENANT, TOKENS)).toBeNull()
  change({ tenant: TENANT, topic: 'features', key: TOKENS })
  expect(await cache.feature(TENANT, TOKENS)).toEqual({ key: TOKENS })
})

type Pending = { resolve(inputs: EntitlementInputs): void; reject(error: Error): void }

/** The catalog's answers come when the test gives them, oldest first. */
function openCache(customersMax = 100) {
  const clock = { ...systemClock, nowMs: 0, heardUpToMs: 0, now: () => clock.nowMs as InstantMs }
  const pending: Pending[] = []
  const listeners = createChangeListeners()
  const features = new Map<string, Feature>()
  const cache = createEntitlementCache({
    entitlementInputs: {
      read: (_tenant, [customer]) =>
        new Promise((resolve, reject) =>
          pending.push({ resolve: (inputs) => resolve(new Map(customer === undefined ? [] : [[customer, inputs]])), reject }),
        ),
    },
    features: { get: async (_tenant, key) => features.get(key) ?? null },
    changes: { subscribe: listeners.subscribe, heardUpToMs: () => clock.heardUpToMs as InstantMs },
    clock,
    registry: new Registry(),
    customersMax,
  })
  return {
    cache,
    clock,
    pending,
    features,
    answer: (answer: EntitlementInputs) => pending.shift()?.resolve(answer),
    change: (change: Change) => listeners.tell([change]),
    missChanges: listeners.tellMissed,
  }
}

function inputs({ value, startMs = 0, endMs = null }: { value: string; startMs?: number; endMs?: number | null }): EntitlementInputs {
  return {
    ...NO_ENTITLEMENT_INPUTS,
    subscriptions: [{ id: 's', startMs, anchorMs: startMs, endMs, phases: [{ plan: 'p', planVersion: 1, startMs, endMs: null }] }],
    planVersions: [{ plan: 'p', version: 1, entitlements: [{ feature: 'region', value, rollover: null }] }],
    features: [{ key: 'region', type: 'config' }],
    meters: [],
  } as unknown as EntitlementInputs
}

function regionOf({ entitlements }: { entitlements: ReadonlyMap<FeatureKey, unknown> }): unknown {
  return (entitlements.get('region' as FeatureKey) as { value: unknown } | undefined)?.value
}
