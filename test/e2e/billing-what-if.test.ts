import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

/** What past usage would cost otherwise, and what of it nothing bills. */
describe('what if, and unbilled usage, over HTTP', () => {
  let server: BillingServer
  const event = (id: string, subject: string, n: number, model: string, time: string) => ({
    ...{ specversion: '1.0', source: 's', type: 'call', id, subject, time, data: { n, model } },
  })
  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n', dimensions: { model: 'model' } })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls', unit: 'call' })
    const price = (unitAmount: string) => ({ model: 'flat', unitAmount })
    const plan = { product: 'p', name: 'P', currency: 'EUR', interval: 'month' }
    const charges = [{ key: 'calls', feature: 'calls', filter: { model: ['a'] }, price: price('1') }]
    await ok('PUT', '/v1/plans/now', { ...plan, baseFee: '10', charges })
    await ok('PUT', '/v1/plans/other', { ...plan, baseFee: '31', charges: [{ key: 'calls', feature: 'calls', price: price('0.5') }] })
    await ok('PUT', '/v1/plans/dollars', { ...plan, currency: 'USD', baseFee: '5' })
    for (const customer of ['acme', 'beta']) {
      await ok('PUT', `/v1/customers/${customer}`, {})
      await ok('POST', '/v1/subscriptions', { customer, plan: 'now', startAt: START })
    }
    server.set(instant('2026-01-20T00:00:00Z'))
    await ok('POST', '/v1/events', [
      event('1', 'acme', 4, 'a', '2026-01-10T00:00:00Z'),
      event('2', 'acme', 6, 'b', '2026-01-11T00:00:00Z'),
      event('3', 'acme', 9, 'a', '2025-12-31T00:00:00Z'),
      event('4', 'beta', 2, 'a', '2026-01-10T00:00:00Z'),
    ])
    server.set(instant('2026-02-01T01:00:00Z'))
    await server.bill()
    server.set(instant('2026-02-02T00:00:00Z'))
    await ok('POST', '/v1/events', [event('5', 'acme', 1, 'a', '2026-01-12T00:00:00Z')])
    await server.bill({ dryRun: true })
  })
  afterAll(() => server?.stop())

  const january = { from: START, to: '2026-02-01T00:00:00Z' }
  const rows = async (body: object) => {
    const answer = await server.call('POST', '/v1/what-if', { ...january, ...body })
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
    const lines =
      typeof answer.body === 'string'
        ? answer.body
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line) as object)
        : [answer.body]
    return lines
  }

  test('a month under another plan, as it was billed: a row per customer, then totals', async () => {
    expect(await rows({ plan: 'other' })).toEqual([
      { customer: 'acme', currency: 'EUR', billed: '14.00', wouldBe: '36.00', difference: '22.00' },
      { customer: 'beta', currency: 'EUR', billed: '12.00', wouldBe: '32.00', difference: '20.00' },
      { totals: { customers: 2, currency: 'EUR', billed: '26.00', wouldBe: '68.00', difference: '42.00' } },
    ])
  })

  test('as of now it counts what came late; other prices leave the plan as it is', async () => {
    expect(await rows({ plan: 'other', usage: 'now', customers: ['acme'] })).toMatchObject([{ billed: '15.00', wouldBe: '36.50' }, {}])
    const priceOverrides = { calls: { model: 'flat', unitAmount: '2' } }
    expect(await rows({ priceOverrides, customers: ['acme'] })).toMatchObject([
      { billed: '14.00', wouldBe: '18.00', difference: '4.00' },
      {},
    ])
  })

  test('with lines each row shows what it is the sum of, on both sides', async () => {
    const [row] = await rows({ plan: 'other', customers: ['acme'], lines: true })
    const span = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' }
    const usage = { kind: 'usage', item: 'calls', feature: 'calls' }
    expect(row).toMatchObject({
      lines: [
        { of: 'billed', plan: 'now', planVersion: 1, kind: 'base', amount: '10.00', ...span },
        { of: 'billed', plan: 'now', ...usage, quantity: '4', amount: '4.00' },
        { of: 'wouldBe', plan: 'other', kind: 'base', amount: '31.00' },
        { of: 'wouldBe', plan: 'other', ...usage, quantity: '10', amount: '5.00' },
      ],
    })
  })

  test.each([
    { body: {}, code: 'invalid_amount', field: 'plan' },
    { body: { plan: 'none' }, code: 'unknown_plan', field: 'plan' },
    { body: { plan: 'other', to: '2025-01-01T00:00:00Z' }, code: 'invalid_amount', field: 'to' },
    { body: { plan: 'other', subscriptions: ['none'] }, code: 'unknown_subscription', field: 'subscriptions[0]' },
    { body: { priceOverrides: { calls: { model: 'flat', unitAmount: '-1' } } }, code: 'invalid_price' },
  ])('$body is refused as $code', async ({ body, code, field }) => {
    const answer = await server.call('POST', '/v1/what-if', { ...january, ...body })
    expect(answer.body).toMatchObject({ code, ...(field !== undefined && { errors: [{ field }] }) })
    expect([400, 404]).toContain(answer.status)
  })

  test('usage before the subscription, and of kinds that no charge takes, is billed by nothing', async () => {
    expect(await server.ok('GET', '/v1/billing/unbilled?customer=acme')).toEqual({
      data: [{ customer: 'acme', feature: 'calls', unit: 'call', quantity: '15', events: 2 }],
      nextCursor: null,
    })
    expect(await server.ok('GET', `/v1/billing/unbilled?customer=acme&from=${START}`)).toMatchObject({ data: [{ quantity: '6' }] })
    expect(await server.ok('GET', '/v1/billing/unbilled?customer=beta')).toMatchObject({ data: [] })
    expect(await server.call('GET', '/v1/billing/unbilled?customer=nobody')).toMatchObject({
      status: 404,
      body: { code: 'unknown_customer' },
    })
  })

  test('of all customers it is a list of pages, also of those who have no subscription', async () => {
    await server.ok('POST', '/v1/events', [event('6', 'stranger', 7, 'a', '2026-01-15T00:00:00Z')])
    const found: unknown[] = []
    await expect
      .poll(
        async () => {
          found.length = 0
          for (let cursor = ''; ; ) {
            const page = await server.ok<{ data: unknown[]; nextCursor: string | null }>('GET', `/v1/billing/unbilled?limit=1${cursor}`)
            found.push(...page.data)
            if (page.nextCursor === null) return found.length
            cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`
          }
        },
        { timeout: 60_000 },
      )
      .toBe(2)
    expect(found).toMatchObject([
      { customer: 'stranger', quantity: '7', events: 1 },
      { customer: 'acme', quantity: '15', events: 2 },
    ])
    expect(await server.call('GET', `/v1/billing/unbilled?from=${START}&to=2025-01-01T00:00:00Z`)).toMatchObject({
      ...{ status: 400, body: { code: 'invalid_time', errors: [{ field: 'to' }] } },
    })
  })
})
