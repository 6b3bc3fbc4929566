import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Counters } from '../../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../../adapters/counters/embedded/embedded-counters.ts'
import { createChangeListeners } from '../../adapters/database/engine/change-listeners.ts'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Entitlement, Feature } from '../../domain/catalog/plan.ts'
import { NANO } from '../../domain/decimal.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { type BalanceReader, createBalanceReader } from '../../entitlements/balance-reader.ts'
import { createCountersCatchUp } from '../../entitlements/counters-catch-up.ts'
import { createEntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { balanceRoutes } from '../balances/balance-routes.ts'
import { decisionRoutes } from './decision-routes.ts'

const TENANT = 'default' as TenantKey
const NOW = Date.UTC(2024, 2, 15) as InstantMs
const START = Date.UTC(2024, 0, 31) as InstantMs
const log = pino({ level: 'silent' })

describe('decisions and balances over HTTP', () => {
  let server: Awaited<ReturnType<typeof openServer>>
  beforeEach(async () => {
    server = await openServer()
  })
  afterEach(() => server.close())

  test.each([
    { feature: 'tokens', quantity: '3.5', allowed: true, code: 'within_limit' },
    { feature: 'tokens', quantity: 3.6, allowed: true, code: 'over_soft_limit' },
    { feature: 'runs', quantity: '5', allowed: true, code: 'within_limit' },
    { feature: 'runs', quantity: '5.000000001', allowed: false, code: 'hard_limit_reached' },
    { feature: 'runs', quantity: 0, allowed: true, code: 'within_limit' },
    { feature: 'calls', quantity: '99999999999999999999', allowed: true, code: 'unlimited' },
    { feature: 'sso', quantity: undefined, allowed: true, code: 'feature_on' },
    { feature: 'audit', quantity: undefined, allowed: false, code: 'feature_off' },
    { feature: 'region', quantity: undefined, allowed: true, code: 'feature_on' },
    { feature: 'unplanned', quantity: undefined, allowed: false, code: 'no_entitlement' },
  ])('$feature, $quantity: $code', async ({ feature, quantity, allowed, code }) => {
    await server.count('tokens', 6n * NANO + NANO / 2n)
    await server.count('runs', 5n * NANO)
    const { status, body } = await server.decide({ customer: 'acme', feature, quantity })
    expect(status).toBe(200)
    expect(body).toMatchObject({ allowed, code, balance: { feature } })
    expect((await server.get(`/v1/customers/acme/balances/${feature}`)).body).toMatchObject(body.balance)
  })

  test.each([
    { why: 'an unknown customer', body: { customer: 'nobody', feature: 'runs' }, status: 200, code: 'no_entitlement' },
    { why: 'an unknown feature', body: { customer: 'acme', feature: 'rnus' }, status: 404, code: 'unknown_feature' },
    { why: 'a negative quantity', body: { customer: 'acme', feature: 'runs', quantity: '-1' }, status: 400, code: 'invalid_quantity' },
    { why: 'ten digits', body: { customer: 'acme', feature: 'runs', quantity: '1.0000000001' }, status: 400, code: 'invalid_quantity' },
    { why: 'no number', body: { customer: 'acme', feature: 'runs', quantity: 'many' }, status: 400, code: 'invalid_quantity' },
    { why: 'beyond exact range', body: { customer: 'acme', feature: 'runs', quantity: 1e21 }, status: 400, code: 'invalid_quantity' },
  ])('$why is $status $code', async ({ body, status, code }) => {
    const answer = await server.decide(body)
    expect(answer).toMatchObject({ status, body: { code } })
  })

  test('several features are decided at once, in their order: allowed if all are', async () => {
    await server.count('runs', 5n * NANO)
    const features = [{ feature: 'runs', quantity: '5' }, { feature: 'sso' }, { feature: 'tokens', quantity: 3 }]
    const { status, body } = await server.decide({ customer: 'acme', features })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      allowed: true,
      decisions: [
        { feature: 'runs', allowed: true, code: 'within_limit', balance: { used: '5' } },
        { feature: 'sso', allowed: true, code: 'feature_on' },
        { feature: 'tokens', allowed: true, code: 'within_limit' },
      ],
    })
    const more = await server.decide({ customer: 'acme', features: [...features.slice(1), { feature: 'runs', quantity: 6 }] })
    expect(more.body).toMatchObject({ allowed: false, decisions: [{}, {}, { code: 'hard_limit_reached' }] })
  })

  test.each([
    { body: {}, field: 'feature' },
    { body: { features: [{ feature: 'runs' }], feature: 'runs' }, field: 'features' },
    { body: { features: [{ feature: 'runs' }], quantity: '1' }, field: 'features' },
    { body: { features: [{ feature: 'runs' }, { feature: 'runs' }] }, field: 'features[1].feature' },
    { body: { features: [{ feature: 'runs', quantity: '-1' }] }, field: 'features[0].quantity' },
    { body: { features: [] }, field: 'features' },
  ])('$body is refused, naming $field', async ({ body, field }) => {
    expect(await server.decide({ customer: 'acme', ...body })).toMatchObject({ status: 400, body: { errors: [{ field }] } })
  })

  test('the list has every entitlement, in the order of the plan', async () => {
    await server.count('runs', 12n * NANO)
    const { body } = await server.get('/v1/customers/acme/balances')
    const period = { start: '2024-02-29T00:00:00.000Z', end: '2024-03-31T00:00:00.000Z' }
    const none = { limit: null, limitType: null, used: '0', held: '0', remaining: null, overage: '0', period: null }
    const metered = { type: 'metered', hasAccess: true, used: '0', held: '0', overage: '0', period }
    const plan = { source: 'plan', priority: 128, amount: '10', remaining: '10', expiresAt: period.end }
    const unlimited = { source: 'plan', priority: 128, amount: null, remaining: null }
    expect(body).toEqual({
      data: [
        { ...metered, feature: 'tokens', limit: '10', limitType: 'soft', remaining: '10', sources: [plan] },
        {
          ...metered,
          feature: 'runs',
          limit: '10',
          limitType: 'hard',
          hasAccess: false,
          used: '12',
          remaining: '0',
          overage: '2',
          sources: [{ ...plan, remaining: '0' }],
        },
        { ...metered, feature: 'calls', limit: null, limitType: 'soft', remaining: null, period: null, sources: [unlimited] },
        { ...none, feature: 'sso', type: 'boolean', hasAccess: true },
        { ...none, feature: 'audit', type: 'boolean', hasAccess: false },
        { ...none, feature: 'region', type: 'config', hasAccess: true, value: { name: 'eu', zones: [1, 2] } },
      ],
      nextCursor: null,
    })
  })

  test.each([
    { path: '/v1/customers/nobody/balances', code: 'unknown_customer' },
    { path: '/v1/customers/nobody/balances/runs', code: 'unknown_customer' },
    { path: '/v1/customers/acme/balances/rnus', code: 'unknown_feature' },
  ])('$path is 404 $code', async ({ path, code }) => {
    expect(await server.get(path)).toMatchObject({ status: 404, body: { code } })
  })

  test('a customer that only sent events has no balances, and of one feature none with access', async () => {
    expect((await server.get('/v1/customers/seen%2Fonce/balances')).body).toEqual({ data: [], nextCursor: null })
    const { body } = await server.get('/v1/customers/seen%2Fonce/balances/runs')
    expect(body).toMatchObject({ hasAccess: false, limit: '0', remaining: '0', period: null })
  })

  test('usage counted after the first answer is in the next, and a new period starts at nothing', async () => {
    expect((await server.decide({ customer: 'acme', feature: 'runs', quantity: '10' })).body.allowed).toBe(true)
    await server.count('runs', NANO)
    expect((await server.decide({ customer: 'acme', feature: 'runs', quantity: '10' })).body.allowed).toBe(false)
    server.clock.nowMs = Date.UTC(2024, 2, 31)
    expect((await server.decide({ customer: 'acme', feature: 'runs', quantity: '10' })).body.allowed).toBe(true)
  })

  test('a change of plan judges the same usage by the new limit at once', async () => {
    await server.count('runs', 12n * NANO)
    expect((await server.decide({ customer: 'acme', feature: 'runs' })).body.code).toBe('hard_limit_reached')
    server.changeEntitlement('runs', { limit: '13' })
    expect((await server.decide({ customer: 'acme', feature: 'runs' })).body).toMatchObject({
      code: 'within_limit',
      balance: { used: '12' },
    })
  })

  test('many first askers share one request, and a warm decision asks for nothing', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => server.decide({ customer: 'acme', feature: 'runs' })))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(server.trackings()).toBe(1)
    expect(server.catalogReads()).toBe(1)
    await server.decide({ customer: 'acme', feature: 'tokens' })
    expect(server.trackings()).toBe(1)
    expect(server.catalogReads()).toBe(1)
  })

  test('while nobody tracks, a balance is a 503 with Retry-After and a decision goes by the policy; then there is an answer', async () => {
    server.pauseTracking()
    const waiting = await server.get('/v1/customers/acme/balances/runs')
    expect(waiting).toMatchObject({ status: 503, body: { code: 'balance_unavailable' } })
    expect(Number(waiting.headers['retry-after'])).toBeGreaterThan(0)
    const uncertain = (feature: string) => server.decide({ customer: 'acme', feature }).then(({ status, body }) => ({ status, body }))
    const denied = { status: 200, body: { allowed: false, code: 'uncertain_denied' } }
    const allowed = { status: 200, body: { allowed: true, code: 'uncertain_allowed' } }
    expect(await uncertain('runs')).toEqual(denied)
    expect(await uncertain('tokens')).toEqual(allowed)
    server.changeEntitlement('runs', { onUncertain: 'allow' })
    server.changeEntitlement('tokens', { onUncertain: 'deny' })
    expect(await uncertain('runs')).toEqual(allowed)
    expect(await uncertain('tokens')).toEqual(denied)
    await server.reader.trackCustomer(TENANT, 'acme' as CustomerKey)
    server.resumeTracking()
    await server.reader.trackCustomer(TENANT, 'acme' as CustomerKey)
    expect((await server.decide({ customer: 'acme', feature: 'runs' })).body.code).toBe('within_limit')
  })

  test('while the catalog is out of reach, what is known holds for ten seconds and then goes by the policy', async () => {
    const decide = async (feature: string, customer = 'acme') => {
      const { status, body } = await server.decide({ customer, feature })
      return [status, body.code]
    }
    await decide('runs')
    server.loseCatalog()
    server.clock.nowMs += 10_000
    expect(await decide('runs')).toEqual([200, 'within_limit'])
    server.clock.nowMs += 1
    expect(await decide('runs')).toEqual([200, 'uncertain_denied'])
    expect(await decide('tokens')).toEqual([200, 'uncertain_allowed'])
    expect(await decide('sso')).toEqual([200, 'uncertain_allowed'])
    expect(await decide('audit')).toEqual([200, 'uncertain_denied'])
    expect(await decide('unplanned')).toEqual([200, 'uncertain_denied'])
    expect(await decide('runs', 'never-met')).toEqual([503, 'catalog_unavailable'])
    server.findCatalog()
    expect(await decide('runs')).toEqual([200, 'within_limit'])
    expect(await decide('sso')).toEqual([200, 'feature_on'])
  })
})

/** The routes on the server of the runtime, real counters, and as little of an aggregator and a catalog as they need. */
async function openServer() {
  const path = await mkdtemp(join(tmpdir(), 'tollgate-decisions-'))
  const clock = { ...systemClock, nowMs: NOW as number, now: () => clock.nowMs as InstantMs }
  const registry = new Registry()
  const counters = await createEmbeddedCounters({ path, clock, log, registry })
  const catalog = createCatalogOf(acmeInputs(), clock)
  const aggregator = serveTracking(counters, catalog, clock)
  const entitlements = createEntitlementCache({ ...catalog, clock, registry })
  const reader: BalanceReader = createBalanceReader({
    ...catalog,
    entitlements,
    counters,
    catchUp: createCountersCatchUp({
      clock: systemClock,
      counters,
      eventLog: { range: async () => ({ start: 0 as Offset, next: 0 as Offset }) },
    }),
    clock,
    partitions: 1,
    log,
    registry,
    trackingWaitMaxMs: 200,
  })
  const app = createServer(clock, registry)
  app.register(balanceRoutes({ ...catalog, entitlements, balances: reader, waits: { counted: async () => undefined } }))
  app.register(decisionRoutes({ entitlements, balances: reader, registry }))
  await app.ready()
  const send = async (method: 'GET' | 'POST', url: string, payload?: object) => {
    const headers = { authorization: 'Bearer key' }
    const response = await app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) })
    return { status: response.statusCode, headers: response.headers, body: response.json() }
  }
  return {
    ...aggregator,
    reader,
    clock,
    catalogReads: catalog.reads,
    changeEntitlement: catalog.changeEntitlement,
    loseCatalog: catalog.lose,
    findCatalog: catalog.find,
    get: (url: string) => send('GET', url),
    decide: (payload: object) => send('POST', '/v1/decisions', payload),
    async count(feature: string, amount: bigint) {
      await reader.trackCustomer(TENANT, 'acme' as CustomerKey)
      await aggregator.count(feature, amount)
    },
    async close() {
      await app.close()
      await counters.stop()
      await rm(path, { recursive: true, force: true })
    },
  }
}

function createServer(clock: Clock, registry: Registry): HttpApp {
  return createHttpApp({
    findPrincipal: () => ({ keyId: 'k', tenant: TENANT, scopes: ['read', 'decide'] }),
    idempotency: { claim: async () => null, save: async () => {}, release: async () => {} },
    clock,
    log,
    registry,
    bodyBytesMax: 10_000,
  })
}

function serveTracking(counters: Counters, catalog: ReturnType<typeof createCatalogOf>, clock: { now(): InstantMs }) {
  const partition = 0 as Partition
  let isPaused = false
  let trackings = 0
  async function serve(): Promise<void> {
    if (isPaused) return
    for (const customer of await counters.takeTrackingRequests(partition)) {
      const tracked = trackedFeatures(await catalog.inputs(customer.customer), clock.now())
      const found = tracked.map(({ feature, definition }) => ({ feature, definition, trackedFromMs: START, periods: [] }))
      await counters.track(customer, found, await counters.position(partition))
      trackings++
    }
  }
  counters.onTrackingRequest(serve)
  return {
    trackings: () => trackings,
    pauseTracking: () => {
      isPaused = true
    },
    resumeTracking: () => {
      isPaused = false
    },
    async count(feature: string, amount: bigint) {
      const customer = { tenant: TENANT, customer: 'acme' as CustomerKey, partition }
      const definition = (await counters.tracked(customer)).get(feature as FeatureKey) ?? 'untracked'
      const delta = { ...customer, feature: feature as FeatureKey, definition, periodStartMs: Date.UTC(2024, 1, 29) as InstantMs }
      const offset = await counters.position(partition)
      await counters.apply(partition, [{ offset: offset as Offset, deltas: [{ ...delta, update: { kind: 'add', amount } }] }])
    },
  }
}

function createCatalogOf(acme: EntitlementInputs, clock: { now(): InstantMs }) {
  const listeners = createChangeListeners()
  let current = acme
  let reads = 0
  let lostAtMs: InstantMs | null = null
  const inputs = async (customer: CustomerKey) => (customer === 'acme' ? current : { ...acme, subscriptions: [] })
  return {
    inputs,
    reads: () => reads,
    entitlementInputs: {
      async read(_tenant: TenantKey, customers: readonly CustomerKey[]) {
        if (lostAtMs !== null) throw new Fault('catalog_unavailable', 'lost', { canRetry: true, publicText: 'Lost.' })
        reads++
        return new Map(await Promise.all(customers.map(async (customer) => [customer, await inputs(customer)] as const)))
      },
    },
    lose: () => {
      lostAtMs = clock.now()
    },
    find: () => {
      lostAtMs = null
    },
    features: { get: async (_tenant: TenantKey, key: FeatureKey) => acme.features.find((feature) => feature.key === key) ?? null },
    customers: {
      get: async (_tenant: TenantKey, key: CustomerKey) =>
        key === 'nobody'
          ? null
          : { key, name: null, email: null, subjects: [], metadata: {}, createdMs: NOW, updatedMs: NOW, archivedMs: null },
    },
    changes: { subscribe: listeners.subscribe, heardUpToMs: () => lostAtMs ?? clock.now() },
    allowanceOpenings: { save: async () => {} },
    changeEntitlement(feature: string, change: Partial<Entitlement>) {
      const planVersions = current.planVersions.map((version) => ({
        ...version,
        entitlements: version.entitlements.map((entitlement) =>
          entitlement.feature === feature ? { ...entitlement, ...change } : entitlement,
        ),
      }))
      current = { ...current, planVersions }
      listeners.tell([{ tenant: TENANT, topic: 'subscriptions', key: 'acme' as CustomerKey }])
    },
  }
}

function acmeInputs(): EntitlementInputs {
  const feature = (key: string, type: Feature['type']) => ({ key, type, meter: type === 'metered' ? 'm' : null, filter: {} })
  const entitled = (key: string, change: Partial<Entitlement>) => ({
    feature: key,
    limit: null,
    limitType: 'soft',
    reset: 'month',
    anchor: 'subscription',
    rollover: null,
    ...change,
  })
  return {
    ...NO_ENTITLEMENT_INPUTS,
    subscriptions: [
      {
        id: 's',
        customer: 'acme',
        startMs: START,
        anchorMs: START,
        endMs: null,
        phases: [{ plan: 'p', planVersion: 1, startMs: START, endMs: null }],
      },
    ],
    planVersions: [
      {
        plan: 'p',
        version: 1,
        interval: 'month',
        entitlements: [
          entitled('tokens', { limit: '10' }),
          entitled('runs', { limit: '10', limitType: 'hard' }),
          entitled('calls', { reset: 'never' }),
          entitled('sso', { value: true }),
          entitled('audit', { value: false }),
          entitled('region', { value: { name: 'eu', zones: [1, 2] } }),
        ],
      },
    ],
    features: [
      ...['tokens', 'runs', 'calls', 'unplanned'].map((key) => feature(key, 'metered')),
      ...['sso', 'audit'].map((key) => feature(key, 'boolean')),
      feature('region', 'config'),
    ],
    meters: [{ key: 'm', revision: 1 }],
  } as unknown as EntitlementInputs
}
