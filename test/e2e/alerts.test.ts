import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

type Told = { readonly type: string; readonly object: string; readonly data: Readonly<Record<string, unknown>> }

const CROWD = 40
let server: BillingServer
let sent = 0

beforeAll(async () => {
  server = await startBillingServer(instant('2026-01-01T00:00:00Z'))
  const { ok } = server
  await ok('PUT', '/v1/products/p', { name: 'P' })
  await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n', allowNegative: true })
  await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
  await ok('PUT', '/v1/features/sso', { type: 'boolean' })
  const entitlements = [{ feature: 'calls', limit: '10', limitType: 'hard', reset: 'week' }, { feature: 'sso' }]
  await ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', entitlements })
  for (const customer of ['acme', 'other', ...Array.from({ length: CROWD }, (_, n) => `c${n}`)]) {
    await ok('PUT', `/v1/customers/${customer}`, {})
    await ok('POST', '/v1/subscriptions', { customer, plan: 'pro', startAt: '2026-01-01T00:00:00Z' })
  }
})
afterAll(() => server?.stop())

const use = (customer: string, n: number, time = '2026-01-01T00:00:00Z') =>
  server.ok('POST', '/v1/events', { id: `e${sent++}`, type: 'call', customer, data: { n }, time })
const toldOf = async (alert: string, customer = 'acme') => {
  const { data } = await server.ok<{ data: readonly Told[] }>('GET', '/v1/webhook-events?limit=1000')
  return data.filter(({ object, type }) => object === `${alert}/${customer}` && type.startsWith('usage'))
}
const until = (alert: string, types: readonly string[], customer?: string) =>
  vi.waitFor(
    async () => expect((await toldOf(alert, customer)).map(({ type }) => type)).toEqual(types.map((type) => `usage.threshold_${type}`)),
    { timeout: 60_000, interval: 50 },
  )

test('a threshold is told once when it is reached, and armed again when it holds no longer', async () => {
  await server.ok('PUT', '/v1/alerts/near', { on: 'usage', feature: 'calls', at: '80%' })
  await server.ok('PUT', '/v1/alerts/five', { on: 'usage', feature: 'calls', at: '5', customers: ['acme'] })
  await use('acme', 5)
  await use('other', 9)
  await until('five', ['reached'])
  await until('near', ['reached'], 'other')
  expect(await toldOf('near')).toEqual([])
  await use('acme', 3)
  await until('near', ['reached'])
  expect((await toldOf('near'))[0]?.data).toEqual({
    ...{ alert: 'near', customer: 'acme', feature: 'calls', at: '80%', used: '8', limit: '10', share: '0.8' },
    period: { start: '2026-01-01T00:00:00.000Z', end: '2026-01-08T00:00:00.000Z' },
  })
  const { data: standing } = await server.ok<{ data: readonly object[] }>('GET', '/v1/customers/acme/alerts')
  expect(standing).toMatchObject([
    { alert: 'five', used: '8', share: '0.8' },
    { alert: 'near', used: '8', limit: '10' },
  ])
  await use('acme', 1)
  await server.ok('POST', '/v1/customers/acme/grants', { feature: 'calls', amount: '10' })
  await until('near', ['reached', 'resolved'])
  await use('acme', 9)
  await until('near', ['reached', 'resolved', 'reached'])
  await until('five', ['reached'])
  expect(await toldOf('five', 'other')).toEqual([])
})

test('an alert that is made when customers are beyond it already tells of them', async () => {
  await server.ok('PUT', '/v1/alerts/late', { on: 'usage', feature: 'calls', at: '90%' })
  await until('late', ['reached'], 'other')
})

test('many who reach it together are each told of once', async () => {
  await Promise.all(Array.from({ length: CROWD }, (_, n) => use(`c${n}`, 8)))
  await vi.waitFor(
    async () => {
      const { data } = await server.ok<{ data: readonly Told[] }>('GET', '/v1/webhook-events?limit=1000&types=usage.threshold_reached')
      const crowd = data.filter(({ object }) => object.startsWith('near/c')).map(({ object }) => object)
      expect([crowd.length, new Set(crowd).size]).toEqual([CROWD, CROWD])
    },
    { timeout: 60_000, interval: 100 },
  )
})

test('with the end of the period an alert is armed again, also where nothing is counted any more', async () => {
  server.set(instant('2026-01-08T00:00:01Z'))
  await until('five', ['reached', 'resolved'])
  await until('near', ['reached', 'resolved'], 'other')
  await use('other', 9, '2026-01-08T00:00:00Z')
  await until('near', ['reached', 'resolved', 'reached'], 'other')
})

test.each([
  { body: { on: 'usage', feature: 'calls', at: '0' }, code: 'invalid_threshold' },
  { body: { on: 'usage', feature: 'calls', at: '0%' }, code: 'invalid_threshold' },
  { body: { on: 'usage', feature: 'calls', at: '-80%' }, code: 'invalid_threshold' },
  { body: { on: 'usage', feature: 'calls', at: '%' }, code: 'invalid_threshold' },
  { body: { on: 'usage', feature: 'calls', at: 1e21 }, code: 'invalid_threshold' },
  { body: { on: 'usage', feature: 'sso', at: '80%' }, code: 'feature_not_metered' },
  { body: { on: 'usage', feature: 'none', at: '80%' }, code: 'unknown_feature' },
  { body: { on: 'mood', feature: 'calls', at: '80%' }, code: 'invalid_request' },
])('$body is refused with $code', async ({ body, code }) => {
  expect(await server.call('PUT', '/v1/alerts/bad', body)).toMatchObject({ body: { code } })
  expect(await server.call('GET', '/v1/alerts/bad')).toMatchObject({ status: 404, body: { code: 'unknown_alert' } })
})
