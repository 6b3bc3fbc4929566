import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

type Balance = { used: string; remaining: string | null; hasAccess: boolean; overage: string; period: { start: string; end: string } }
type Decision = { allowed: boolean; code: string; balance: Balance }
type Usage = { data: { value: string; events: number; dimensions?: Record<string, string> }[] }

describe('from an event posted over HTTP to a priced balance', () => {
  let tollgate: TollgateProcess

  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('PUT', '/v1/meters/tokens', {
      eventType: 'llm.request',
      aggregation: 'sum',
      value: ['input', 'output'],
      dimensions: { model: 'model' },
    })
    await tollgate.ok('PUT', '/v1/meters/runs', { eventType: 'agent.run', aggregation: 'count' })
    await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
    await tollgate.ok('PUT', '/v1/features/large_tokens', { type: 'metered', meter: 'tokens', filter: { model: ['large'] } })
    await tollgate.ok('PUT', '/v1/features/runs', { type: 'metered', meter: 'runs' })
    await tollgate.ok('PUT', '/v1/features/sso', { type: 'boolean' })
    await tollgate.ok('PUT', '/v1/features/region', { type: 'config' })
    await tollgate.ok('PUT', '/v1/products/ai', { name: 'AI' })
    await tollgate.ok('PUT', '/v1/plans/pro', {
      product: 'ai',
      name: 'Pro',
      currency: 'EUR',
      interval: 'month',
      baseFee: '20.00',
      charges: [{ key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.50', per: '1000' } }],
      entitlements: [
        { feature: 'tokens', limit: '1000', limitType: 'soft', reset: 'month' },
        { feature: 'large_tokens', limit: null },
        { feature: 'runs', limit: '3', limitType: 'hard', reset: 'day', anchor: 'calendar' },
        { feature: 'sso' },
        { feature: 'region', value: 'eu' },
      ],
    })
  })

  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  const subscribe = async (customer: string, more: object = {}) => {
    await tollgate.ok('PUT', `/v1/customers/${customer}`, { subjects: [`${customer}-user`] })
    return await tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan: 'pro', ...more })
  }
  const balance = (customer: string, feature: string) => tollgate.ok<Balance>('GET', `/v1/customers/${customer}/balances/${feature}`)
  const decide = (customer: string, feature: string, quantity?: string) =>
    tollgate.ok<Decision>('POST', '/v1/decisions', { customer, feature, ...(quantity ? { quantity } : {}) })
  const tokens = (id: string, customer: string, input: number, output: number, model = 'small') => ({
    id,
    type: 'llm.request',
    customer,
    data: { input, output, model },
  })

  test('an event is in the balance within 100 ms and in the usage store within 2 s', async () => {
    await subscribe('fresh')
    expect(await balance('fresh', 'tokens')).toMatchObject({ used: '0', remaining: '1000' })
    await tollgate.ok('POST', '/v1/events', tokens('f1', 'fresh', 100, 23))
    await waitFor(async () => (await balance('fresh', 'tokens')).used === '123')
    await waitFor(async () => (await usageOf('tokens', 'fresh'))[0]?.value === '123')
  })

  const usageOf = async (meter: string, customer: string) =>
    (await tollgate.ok<Usage>('GET', `/v1/meters/${meter}/usage?customer=${customer}&from=${daysAgo(40)}&to=${daysAgo(-1)}`)).data

  test('50 posts of the same event at once count once', async () => {
    await subscribe('repeated')
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tollgate.call('POST', '/v1/events', tokens('same', 'repeated', 7, 0))),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(202))
    await tollgate.ok('POST', '/v1/events', tokens('other', 'repeated', 1, 0))
    await waitFor(async () => (await usageOf('tokens', 'repeated'))[0]?.events === 2)
    expect(await usageOf('tokens', 'repeated')).toMatchObject([{ value: '8', events: 2 }])
    expect((await balance('repeated', 'tokens')).used).toBe('8')
  })

  test('an event on a subject counts for its customer', async () => {
    await subscribe('owner')
    await tollgate.ok('POST', '/v1/events', { ...tokens('s1', '', 40, 2), customer: undefined, subject: 'owner-user' })
    await waitFor(async () => (await balance('owner', 'tokens')).used === '42')
  })

  test('a hard limit refuses, a soft one warns, a filter filters, booleans and configs answer', async () => {
    await subscribe('limits')
    const runs = [1, 2, 3].map((n) => ({ id: `r${n}`, type: 'agent.run', customer: 'limits' }))
    await tollgate.ok('POST', '/v1/events', [...runs, tokens('t1', 'limits', 990, 0), tokens('t2', 'limits', 5, 0, 'large')])
    await waitFor(async () => (await balance('limits', 'runs')).used === '3')
    expect(await decide('limits', 'runs')).toMatchObject({ allowed: false, code: 'hard_limit_reached', balance: { remaining: '0' } })
    expect(await decide('limits', 'tokens', '5')).toMatchObject({ allowed: true, code: 'within_limit' })
    expect(await decide('limits', 'tokens', '5.000000001')).toMatchObject({ allowed: true, code: 'over_soft_limit' })
    expect(await decide('limits', 'large_tokens', '1000000')).toMatchObject({ allowed: true, code: 'unlimited', balance: { used: '5' } })
    expect(await decide('limits', 'sso')).toMatchObject({ allowed: true, code: 'feature_on' })
    expect(await decide('nobody', 'tokens')).toMatchObject({ allowed: false, code: 'no_entitlement' })
    expect(await tollgate.ok('GET', '/v1/customers/limits/balances/region')).toMatchObject({ type: 'config', value: 'eu' })
  })

  test('the upcoming invoice prices the usage of the period', async () => {
    const { id } = await subscribe('payer')
    await tollgate.ok('POST', '/v1/events', tokens('p1', 'payer', 1_000, 502))
    await waitFor(async () => (await usageOf('tokens', 'payer'))[0]?.value === '1502')
    expect(await tollgate.ok('GET', `/v1/subscriptions/${id}/upcoming-invoice`)).toMatchObject({
      currency: 'EUR',
      total: '23.76',
      lines: [
        { kind: 'base', amount: '20.00' },
        { kind: 'usage', charge: 'tokens', quantity: '1502', exact: '3.755', amount: '3.76' },
      ],
    })
  })

  test('two subscriptions to one feature add up, a cancelled one stops counting', async () => {
    await subscribe('twice')
    const second = await subscribe('twice', { allowSeveral: true })
    expect(await balance('twice', 'runs')).toMatchObject({ limit: '6' })
    await tollgate.ok('POST', `/v1/subscriptions/${second.id}/cancel`, { at: 'now' })
    expect(await balance('twice', 'runs')).toMatchObject({ limit: '3' })
  })

  test('a meter made after its events answers for them too', async () => {
    const events = Array.from({ length: 300 }, (_, n) => ({
      id: `late-${n}`,
      type: 'image.made',
      customer: `painter-${n % 3}`,
      data: { pixels: `${n}.5`, style: n % 2 ? 'oil' : 'ink' },
    }))
    await tollgate.ok('POST', '/v1/events', events)
    await tollgate.ok('PUT', '/v1/meters/pixels', {
      eventType: 'image.made',
      aggregation: 'sum',
      value: 'pixels',
      dimensions: { style: 'style' },
    })
    await waitFor(async () => (await usageOf('pixels', 'painter-0')).length === 1)
    const expected = events.filter(({ customer }) => customer === 'painter-1').reduce((sum, { data }) => sum + Number(data.pixels), 0)
    expect(await usageOf('pixels', 'painter-1')).toMatchObject([{ value: String(expected), events: 100 }])

    await tollgate.ok('PUT', '/v1/meters/pixels', { eventType: 'image.made', aggregation: 'max', value: 'pixels' })
    await waitFor(async () => (await usageOf('pixels', 'painter-1'))[0]?.value === '298.5')
  })

  test('events that a meter cannot read are kept, count for nothing and say so', async () => {
    const customer = 'vague'
    await tollgate.ok('POST', '/v1/events', [
      { id: 'v1', type: 'llm.request', customer, data: { input: 'many', output: 1 } },
      { id: 'v2', type: 'llm.request', customer, data: {} },
      { id: 'v3', type: 'llm.request', customer, data: { input: '1.5', output: 1 } },
    ])
    await waitFor(async () => (await usageOf('tokens', customer))[0]?.value === '2.5')
    expect((await usageOf('tokens', customer))[0]?.events).toBe(1)
    const { data } = await tollgate.ok<{ data: { id: string; uncounted?: { meter: string; reason: string }[] }[] }>(
      'GET',
      `/v1/events?customer=${customer}`,
    )
    const reasons = Object.fromEntries(
      data.map(({ id, uncounted }) => [id, uncounted?.map(({ meter, reason }) => `${meter}: ${reason}`) ?? []]),
    )
    expect(reasons).toEqual({ v1: ['tokens: not_a_number'], v2: ['tokens: missing'], v3: [] })
  })

  test('what was acknowledged survives kill -9', async () => {
    await subscribe('survivor')
    const sent: Promise<unknown>[] = []
    for (let n = 0; n < 40; n++) sent.push(tollgate.call('POST', '/v1/events', tokens(`k${n}`, 'survivor', 1, 0)).catch(() => null))
    const answers = (await Promise.all(sent)) as { status: number }[]
    expect(answers.every((answer) => answer?.status === 202)).toBe(true)
    await tollgate.kill()
    tollgate = await startTollgate({ dataDir: tollgate.dataDir })
    await waitFor(async () => (await balance('survivor', 'tokens')).used === '40')
    await waitFor(async () => (await usageOf('tokens', 'survivor'))[0]?.value === '40')
  })

  test('openapi.json holds every route of the contract', async () => {
    const { openapi, paths } = await tollgate.ok<{ openapi: string; paths: Record<string, Record<string, unknown>> }>(
      'GET',
      '/openapi.json',
    )
    expect(openapi).toMatch(/^3\.1/)
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes).toEqual(expect.arrayContaining(CONTRACT_ROUTES))
    expect((await tollgate.call('GET', '/docs/')).text).toMatch(/html/i)
  })
})

const CONTRACT_ROUTES = [
  'POST /v1/keys',
  'POST /v1/events',
  'GET /v1/events',
  'GET /v1/events/uncounted',
  'GET /v1/events/{id}',
  'PUT /v1/meters/{key}',
  'GET /v1/meters/{key}',
  'GET /v1/meters',
  'DELETE /v1/meters/{key}',
  'GET /v1/meters/{key}/usage',
  'PUT /v1/features/{key}',
  'PUT /v1/products/{key}',
  'PUT /v1/plans/{key}',
  'POST /v1/rate',
  'PUT /v1/customers/{key}',
  'POST /v1/subscriptions',
  'GET /v1/subscriptions/{id}',
  'GET /v1/subscriptions',
  'POST /v1/subscriptions/{id}/cancel',
  'POST /v1/subscriptions/{id}/uncancel',
  'POST /v1/subscriptions/{id}/change',
  'GET /v1/subscriptions/{id}/upcoming-invoice',
  'GET /v1/customers/{key}/balances',
  'GET /v1/customers/{key}/balances/{feature}',
  'POST /v1/decisions',
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
]

function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().replace(/:\d\d\.\d+Z$/, ':00Z')
}
