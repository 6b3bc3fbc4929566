import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

/** What would be billed: by the decisions of a run, with nothing stored. */
describe('previews over HTTP', () => {
  let server: BillingServer
  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls', unit: 'call' })
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '0.5' } }]
    const plan = { product: 'p', currency: 'EUR', interval: 'month' }
    await ok('PUT', '/v1/plans/small', { ...plan, name: 'Small', baseFee: '31', charges })
    await ok('PUT', '/v1/plans/large', { ...plan, name: 'Large', baseFee: '62', charges })
    await ok('PUT', '/v1/plans/yearly', { ...plan, name: 'Yearly', interval: 'year', baseFee: '365', charges })
    await ok('PUT', '/v1/plans/dollars', { ...plan, name: 'Dollars', currency: 'USD', baseFee: '10' })
  })
  afterAll(() => server?.stop())

  const subscribed = async (customer: string, plan = 'small') => {
    server.set(instant(START))
    await server.ok('PUT', `/v1/customers/${customer}`, {})
    return (await server.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan, startAt: START })).id
  }
  /** Counted by the usage store, as a run waits until it is. */
  const use = async (customer: string, id: string, n: number, time: string) => {
    const event = { specversion: '1.0', source: 's', type: 'call', id: `${customer}/${id}`, subject: customer, time, data: { n } }
    await server.ok('POST', '/v1/events', [event])
    await server.bill({ customers: [customer], dryRun: true })
  }
  const preview = async (id: string, at = '') =>
    (await server.ok<{ data: FinalInvoice[] }>('GET', `/v1/subscriptions/${id}/invoice-preview${at}`)).data
  const documents = async (customer: string) => (await server.ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?customer=${customer}`)).data
  const amounts = (made: readonly FinalInvoice[]) =>
    made.map(({ kind, closesAt, total, lines }) => ({
      kind,
      closesAt,
      total,
      lines: lines.map(({ kind: of, amount, quantity, from, to }) => ({ of, amount, quantity, from, to })),
    }))

  test('a preview of an instant is what a run at that instant then makes, line by line', async () => {
    const id = await subscribed('previewed')
    expect(await preview(id)).toMatchObject([{ kind: 'opening', status: 'draft', number: null, finalisedAt: null, total: '31.00' }])
    server.set(instant('2026-01-10T00:00:00Z'))
    await use('previewed', '1', 7, '2026-01-10T00:00:00Z')
    const asked = await preview(id, '?at=2026-03-01T01:00:00Z')
    expect(asked.map(({ kind, total }) => [kind, total])).toEqual([
      ['opening', '31.00'],
      ['cycle', '34.50'],
      ['cycle', '31.00'],
    ])
    expect(await documents('previewed')).toEqual([])
    server.set(instant('2026-03-01T01:00:00Z'))
    await server.bill({ customers: ['previewed'] })
    expect(amounts(await documents('previewed'))).toEqual(amounts(asked))
  })

  test('where a run would make nothing, the next document is shown with the usage so far', async () => {
    const id = await subscribed('between')
    await server.bill({ customers: ['between'] })
    await use('between', '1', 4, '2026-01-01T00:00:00Z')
    expect(await preview(id)).toMatchObject([{ kind: 'cycle', closesAt: '2026-02-01T00:00:00.000Z', total: '33.00' }])
  })

  test('a change is previewed as it would be billed, refused as it would be refused, and not made', async () => {
    const id = await subscribed('changing')
    await server.bill({ customers: ['changing'] })
    server.set(instant('2026-01-16T00:00:00Z'))
    const change = (body: object) => server.call('POST', `/v1/subscriptions/${id}/change-preview`, body)
    expect(await change({ plan: 'large', at: 'now', invoice: 'now' })).toMatchObject({
      status: 200,
      body: {
        data: [
          {
            kind: 'change',
            total: '16.00',
            lines: [
              { kind: 'base', plan: 'large', amount: '32.00' },
              { kind: 'unused', plan: 'small', amount: '-16.00' },
            ],
          },
        ],
      },
    })
    expect((await change({ plan: 'large', at: '2026-01-31T00:00:00Z' })).body).toMatchObject({ data: [{ kind: 'cycle', total: '63.00' }] })
    expect(await change({ plan: 'dollars', at: 'now' })).toMatchObject({ status: 409, body: { code: 'currency_mismatch' } })
    expect(await change({ plan: 'none', at: 'now' })).toMatchObject({ body: { code: 'unknown_plan', errors: [{ field: 'plan' }] } })
    expect(await change({ plan: 'large', at: '2026-01-02T00:00:00Z' })).toMatchObject({ status: 400, body: { code: 'change_in_past' } })
    expect(await server.call('POST', `/v1/subscriptions/${id}/change`, { plan: 'large', at: '2026-01-02T00:00:00Z' })).toMatchObject({
      status: 400,
      body: { code: 'change_in_past' },
    })
    expect(await server.ok('GET', `/v1/subscriptions/${id}`)).toMatchObject({ plan: 'small', phases: [{}] })
    expect(await server.call('GET', '/v1/subscriptions/none/invoice-preview')).toMatchObject({
      status: 404,
      body: { code: 'unknown_subscription' },
    })
  })

  test('a change at an instant to come is made there', async () => {
    const id = await subscribed('planned')
    await server.ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'large', at: '2026-01-16T00:00:00Z' })
    expect(await server.ok('GET', `/v1/subscriptions/${id}`)).toMatchObject({
      phases: [{ plan: 'small' }, { plan: 'large', startAt: '2026-01-16T00:00:00.000Z' }],
    })
  })

  test('customers of two currencies are billed in one run, and a customer of both', async () => {
    await subscribed('euros')
    await subscribed('dollars', 'dollars')
    await server.ok('POST', '/v1/subscriptions', { customer: 'euros', plan: 'dollars', startAt: START, allowSeveral: true })
    expect(await server.bill({ customers: ['euros', 'dollars'] })).toMatchObject({ finalised: 3, setAside: [] })
  })

  test('a change at the very instant of the start gives back what the opening billed', async () => {
    const id = await subscribed('hasty')
    await server.bill({ customers: ['hasty'] })
    await server.ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'large', at: 'now', invoice: 'now' })
    expect(await server.bill({ customers: ['hasty'] })).toMatchObject({ setAside: [] })
    expect((await preview(id, '?at=2026-02-01T02:00:00Z'))[0]?.lines.map(({ kind, amount }) => [kind, amount])).toContainEqual([
      'unused',
      '-31.00',
    ])
  })
})
