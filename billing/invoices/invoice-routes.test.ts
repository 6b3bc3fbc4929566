import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import type { CustomerUsageQuery, UsageStore, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { Charge, Entitlement } from '../../domain/catalog/plan.ts'
import { cancelSubscription, changePlan } from '../../domain/catalog/subscription.ts'
import { NANO } from '../../domain/decimal.ts'
import type {
  CustomerKey,
  FeatureKey,
  InstantMs,
  MeterKey,
  Offset,
  Partition,
  PlanKey,
  ProductKey,
  SubscriptionId,
  TenantKey,
} from '../../domain/identity.ts'
import { isRefusal, orThrow } from '../../domain/refusal.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { createUsageReader } from '../../usage/usage-reader.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { createUpcomingInvoices } from './upcoming-invoice.ts'

const TENANT = 'default' as TenantKey
const ACME = 'acme' as CustomerKey
const at = (text: string) => Date.parse(text) as InstantMs
const START = at('2026-01-31T10:00:00Z')
const log = pino({ level: 'silent' })

describe('the upcoming invoice', () => {
  let path: string
  let database: Database
  let stores: DatabaseStores
  let usageStore: UsageStore
  let app: HttpApp
  const queries: CustomerUsageQuery[] = []

  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-invoice-'))
    const clock = { ...systemClock, now: () => at('2026-02-10T00:00:00Z') }
    await copyPreparedCatalog(join(path, 'catalog'))
    database = await openPGliteDatabase({ path: join(path, 'catalog'), clock, randomBytes, log })
    await database.migrate()
    stores = databaseStores(database.session)
    usageStore = await openChdbUsageStore({
      clock: systemClock,
      path: join(path, 'usage'),
      chunkRecords: 1_024,
      log,
      registry: new Registry(),
    })
    await usageStore.migrate()
    app = createHttpApp({
      findPrincipal: async () => ({ keyId: 'k', tenant: TENANT, scopes: ['read'] }),
      idempotency: stores.idempotency,
      clock,
      log,
      registry: new Registry(),
      bodyBytesMax: 1_000_000,
    })
    const counted: UsageStore = {
      ...usageStore,
      usageOfCustomers: (query) => {
        queries.push(query)
        return usageStore.usageOfCustomers(query)
      },
    }
    const usageReader = createUsageReader({ usageStore: counted, partitions: 1, clock })
    const { subscriptions } = stores
    app.register(invoiceRoutes({ upcomingInvoices: createUpcomingInvoices({ ...stores, usageReader, clock }), subscriptions, clock }))
    await setUp()
  })
  afterAll(async () => {
    await app.close()
    await usageStore.stop()
    await database.stop()
    await rm(path, { recursive: true, force: true })
  })

  /** Tokens (sum) by model and direction, peak (max) by model; features with filters of their own. */
  const setUp = async () => {
    for (const [key, aggregation, dimensions] of [
      ['tokens', 'sum', { direction: 'direction', model: 'model' }],
      ['peak', 'max', { model: 'model' }],
    ] as const) {
      const { value: meter } = orThrow(
        await stores.meters.put(TENANT, key as MeterKey, { eventType: 'llm', aggregation, value: ['n'], dimensions }),
      )
      await usageStore.putActivations([
        {
          tenant: TENANT,
          meter: meter.key,
          revision: meter.revision,
          partition: 0 as Partition,
          fromOffset: 0 as Offset,
          backfilled: true,
        },
      ])
      await usageStore.write({
        events: [],
        windows: windowsOf(meter.key, meter.revision),
        positions: [{ partition: 0 as Partition, next: 9 as Offset }],
      })
    }
    await putFeature('tokens', 'tokens', {})
    await putFeature('output', 'tokens', { direction: ['out'] })
    await putFeature('peak', 'peak', {})
    await stores.products.put(TENANT, { key: 'ai' as ProductKey, name: 'AI', description: null })
    await stores.customers.ensure([{ tenant: TENANT, key: ACME }])
  }
  const putFeature = async (key: string, meter: string, filter: Record<string, string[]>) =>
    orThrow(
      await stores.features.put(TENANT, {
        key: key as FeatureKey,
        name: key,
        type: 'metered',
        meter: meter as MeterKey,
        filter,
        unit: null,
      }),
    )
  /** The only subscription that runs: another one on the same feature would bill its usage. */
  const subscribe = async (plan: string, charges: readonly Charge[], change: { baseFee?: string } = {}) => {
    const entitlements: Entitlement[] = []
    const version = { plan: plan as PlanKey, product: 'ai' as ProductKey, name: plan, currency: 'USD', interval: 'month' as const }
    orThrow(await stores.plans.put(TENANT, { ...version, baseFee: change.baseFee ?? null, charges, entitlements }))
    for (const { id } of (await stores.subscriptions.list(TENANT, { customer: ACME }, { limit: 100 })).data) {
      await stores.subscriptions.update(TENANT, id, (subscription) => cancelSubscription(subscription, subscription.startMs))
    }
    return orThrow(
      await stores.subscriptions.create(TENANT, { customer: ACME, plan: plan as PlanKey, startMs: START, allowsSeveral: true }),
    ).id
  }
  const invoice = async (id: SubscriptionId, query = '') => {
    queries.length = 0
    const answer = await app.inject({ url: `/v1/subscriptions/${id}/upcoming-invoice${query}`, headers: { authorization: 'Bearer tg_x' } })
    return { status: answer.statusCode, body: answer.json() }
  }

  test('rates what passes the filters of feature and charge, with one query per meter', async () => {
    const id = await subscribe(
      'by-model',
      [
        charge('all', 'tokens', {}),
        charge('large-in', 'tokens', { model: ['large'], direction: ['in'] }),
        charge('large-out', 'output', { model: ['large'] }),
        charge('contradiction', 'output', { direction: ['in'] }),
        charge('peak', 'peak', {}),
        charge('peak-small', 'peak', { model: ['small'] }),
      ],
      { baseFee: '20' },
    )
    const { status, body } = await invoice(id)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      subscription: id,
      plan: 'by-model',
      planVersion: 1,
      currency: 'USD',
      period: { start: '2026-01-31T10:00:00.000Z', end: '2026-02-28T10:00:00.000Z' },
      total: '20.18',
    })
    const quantities = Object.fromEntries(
      body.lines.map((line: { charge?: string; quantity: string }) => [line.charge ?? 'base', line.quantity]),
    )
    expect(quantities).toEqual({
      base: '1',
      all: '111.5',
      'large-in': '1',
      'large-out': '10.5',
      contradiction: '0',
      peak: '40',
      'peak-small': '15',
    })
    expect(queries.map(({ meter }) => meter)).toEqual(['tokens', 'peak'])
  })

  test('asks for no more groups than its charges tell apart', async () => {
    const id = await subscribe('narrow', [charge('a', 'output', { model: ['large'] }), charge('b', 'output', { model: ['small'] })])
    expect((await invoice(id)).body.lines).toMatchObject([{ quantity: '10.5' }, { quantity: '100' }])
    expect(queries).toMatchObject([{ groupBy: ['direction', 'model'], filter: { direction: ['out'], model: ['large', 'small'] } }])
  })

  test('one period that many ask for at once is read once, and another period of the customer with it', async () => {
    const id = await subscribe('popular', [charge('all', 'tokens', {})])
    queries.length = 0
    const later = '?at=2026-03-01T00:00:00Z'
    const answers = await Promise.all(
      ['', later, '', '', later, ''].map((query) =>
        app.inject({ url: `/v1/subscriptions/${id}/upcoming-invoice${query}`, headers: { authorization: 'Bearer tg_x' } }),
      ),
    )
    expect(answers.map((answer) => answer.json().lines[0].quantity)).toEqual(['111.5', '1000', '111.5', '111.5', '1000', '111.5'])
    expect(queries).toHaveLength(1)
  })

  test('the period is the one that holds `at`, to its boundaries', async () => {
    const id = await subscribe('at', [charge('all', 'tokens', {})])
    expect((await invoice(id, '?at=2026-02-28T09:59:59.999Z')).body).toMatchObject({ lines: [{ quantity: '111.5' }] })
    expect((await invoice(id, '?at=2026-02-28T10:00:00Z')).body).toMatchObject({
      period: { start: '2026-02-28T10:00:00.000Z', end: '2026-03-31T10:00:00.000Z' },
      lines: [{ quantity: '1000' }],
    })
    expect((await invoice(id, '?at=1999-01-01T00:00:00Z')).body.period.start).toBe('2026-01-31T10:00:00.000Z')
  })

  test('a change of plan bills the period under the plan in force at `at`; an end clips it', async () => {
    await subscribe('dear', [charge('all', 'tokens', {}, '1')])
    const cheap = await subscribe('cheap', [charge('all', 'tokens', {}, '0.01')])
    const dear = { plan: 'dear' as PlanKey, planVersion: 1 }
    await stores.subscriptions.update(TENANT, cheap, (subscription) => changePlan(subscription, dear, at('2026-02-05T00:00:00Z')))
    expect((await invoice(cheap, '?at=2026-02-04T00:00:00Z')).body).toMatchObject({ plan: 'cheap', total: '1.12' })
    expect((await invoice(cheap, '?at=2026-02-05T00:00:00Z')).body).toMatchObject({ plan: 'dear', total: '111.50' })
    const ended = await stores.subscriptions.update(TENANT, cheap, (subscription) =>
      cancelSubscription(subscription, at('2026-02-01T00:01:00Z')),
    )
    expect(isRefusal(ended)).toBe(false)
    expect((await invoice(cheap)).body).toMatchObject({
      plan: 'cheap',
      period: { end: '2026-02-01T00:01:00.000Z' },
      lines: [{ quantity: '1' }],
    })
  })

  test('usage of a feature that another subscription charges for is billed by that one', async () => {
    const first = await subscribe('first', [charge('all', 'tokens', {})])
    const second = await stores.subscriptions.create(TENANT, {
      customer: ACME,
      plan: 'first' as PlanKey,
      startMs: at('2026-02-01T00:00:00Z'),
      allowsSeveral: true,
    })
    const id = orThrow(second).id
    expect((await invoice(first)).body).toMatchObject({ lines: [{ quantity: '111.5' }] })
    expect((await invoice(id)).body).toMatchObject({ lines: [{ quantity: '0', billedBy: [first] }], total: '0.00' })
  })

  test('a change to another interval ends the period: the time before it is not billed again', async () => {
    const id = await subscribe('monthly', [charge('all', 'tokens', {})], { baseFee: '20' })
    const year = {
      plan: 'yearly' as PlanKey,
      product: 'ai' as ProductKey,
      name: 'yearly',
      currency: 'USD',
      interval: 'year' as const,
      baseFee: '365',
    }
    orThrow(await stores.plans.put(TENANT, { ...year, charges: [charge('all', 'tokens', {})], entitlements: [] }))
    const yearly = { plan: year.plan, planVersion: 1 }
    await stores.subscriptions.update(TENANT, id, (subscription) => changePlan(subscription, yearly, at('2026-02-02T10:00:00Z')))
    expect((await invoice(id, '?at=2026-02-02T09:59:59Z')).body.period).toEqual({
      start: '2026-01-31T10:00:00.000Z',
      end: '2026-02-02T10:00:00.000Z',
    })
    expect((await invoice(id)).body).toMatchObject({
      period: { start: '2026-02-02T10:00:00.000Z', end: '2027-01-31T10:00:00.000Z' },
      lines: [{ kind: 'base', amount: '363.00' }, { quantity: '1100' }],
    })
  })

  test('an unknown subscription, a time that is none and a meter that is not complete are refused', async () => {
    const id = await subscribe('refused', [charge('all', 'tokens', {})])
    expect(await invoice('sub_none' as SubscriptionId)).toMatchObject({ status: 404, body: { code: 'unknown_subscription' } })
    expect(await invoice(id, '?at=soon')).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    orThrow(await stores.meters.put(TENANT, 'fresh' as MeterKey, { eventType: 'x', aggregation: 'count', value: [], dimensions: {} }))
    await putFeature('fresh', 'fresh', {})
    expect(await invoice(await subscribe('fresh', [charge('f', 'fresh', {})]))).toMatchObject({
      status: 409,
      body: { code: 'meter_backfilling' },
    })
  })
})

function charge(key: string, feature: string, filter: Record<string, string[]>, unitAmount = '0.001'): Charge {
  return { key, feature: feature as FeatureKey, filter, price: { model: 'flat', unitAmount } }
}

/** 1 large in, 10.5 large out, 100 small out in the first period; 1,000 at the first instant of the second; peaks of 40 and 15. */
function windowsOf(meter: MeterKey, revision: number): WindowRow[] {
  const window = (windowStart: string, dimensions: Record<string, string>, units: bigint): WindowRow => ({
    tenant: TENANT,
    meter,
    revision,
    customer: ACME,
    windowStartMs: at(windowStart),
    dimensions,
    partition: 0 as Partition,
    chunk: 0,
    version: 8 as Offset,
    events: 1,
    sum: units,
    min: units,
    max: units,
    latest: { value: units, occurredAtMs: at(windowStart), offset: 8 as Offset, index: 0 },
    unique: [],
  })
  if (meter === 'peak') {
    return [
      window('2026-02-01T00:00:00Z', { model: 'large' }, 40n * NANO),
      window('2026-02-02T00:00:00Z', { model: 'small' }, 15n * NANO),
      window('2026-02-03T00:00:00Z', { model: 'small' }, 7n * NANO),
    ]
  }
  return [
    window('2026-02-01T00:00:00Z', { direction: 'in', model: 'large' }, NANO),
    window('2026-02-02T00:00:00Z', { direction: 'out', model: 'large' }, (21n * NANO) / 2n),
    window('2026-02-28T09:59:00Z', { direction: 'out', model: 'small' }, 100n * NANO),
    window('2026-02-28T10:00:00Z', { direction: 'in', model: 'large' }, 1_000n * NANO),
  ]
}
