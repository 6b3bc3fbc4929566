import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

type Proof = { quantity: string; recounted: string; amount: string; recomputed: string | null; agrees: boolean }
type Windows = { quantity: string; data: { windowStart: string; windowEnd: string; quantity: string; events: number }[] }
type Events = { data: { id: string; quantity: string; time: string }[]; nextCursor: string | null }

/** What a line counts, by windows and by events: exactly its quantity, however much comes later. */
describe('what lines are made of, over HTTP', () => {
  let server: BillingServer
  const documents = async () => (await server.ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=acme')).data
  const sum = (all: readonly { quantity: string }[]) => all.reduce((total, { quantity }) => total + Number(quantity), 0)

  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n', dimensions: { model: 'model' } })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls', unit: 'call' })
    const tiers = [
      { upTo: '10', unitAmount: '0' },
      { upTo: null, unitAmount: '0.5' },
    ]
    const charges = [{ key: 'calls', feature: 'calls', filter: { model: ['a'] }, price: { model: 'tiered', tiers } }]
    await ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', baseFee: '10', charges })
    await ok('PUT', '/v1/customers/acme', {})
    await ok('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro', startAt: START })
    await use([
      { id: '1', n: 4, model: 'a', time: '2026-01-10T10:15:30Z' },
      { id: '2', n: 9.5, model: 'a', time: '2026-01-10T10:15:59Z' },
      { id: '3', n: 7, model: 'b', time: '2026-01-10T10:16:00Z' },
      { id: '4', n: 11, model: 'a', time: '2026-01-31T23:59:59.999Z' },
    ])
    server.set(instant('2026-02-01T01:00:00Z'))
    await server.bill()
    await use([{ id: '5', n: 2, model: 'a', time: '2026-01-20T00:00:00Z' }])
    server.set(instant('2026-03-01T01:00:00Z'))
    await server.bill()
  })
  afterAll(() => server?.stop())

  const use = async (events: readonly { id: string; n: number; model: string; time: string }[]) => {
    server.set(instant('2026-01-31T23:59:59.999Z'))
    const sent = events.map(({ id, time, ...data }) => ({ specversion: '1.0', source: 's', type: 'call', subject: 'acme', id, time, data }))
    await server.ok('POST', '/v1/events', sent)
  }
  const lineOf = async (document: number, kind: string) => {
    const invoice = (await documents())[document]
    const line = invoice?.lines.find((each) => each.kind === kind)
    return { path: `/v1/invoices/${invoice?.id}/lines/${line?.line}`, line }
  }

  test('a line shows its tiers, which add up to its exact amount, and the unit of its feature', async () => {
    const { line } = await lineOf(1, 'usage')
    expect(line).toMatchObject({
      ...{ quantity: '24.5', unit: 'call', amount: '7.25', exact: '7.25' },
      tiers: [
        { tier: 1, quantity: '10', exact: '0' },
        { tier: 2, quantity: '14.5', unitAmount: '0.5', exact: '7.25' },
      ],
    })
  })

  test.each(['minute', 'hour', 'day'])('windows of a %s add up to the quantity, without what came later', async (window) => {
    const { path, line } = await lineOf(1, 'usage')
    const { quantity, data } = await server.ok<Windows>('GET', `${path}/windows?window=${window}`)
    expect([quantity, sum(data), data.reduce((events, each) => events + each.events, 0)]).toEqual([line?.quantity, 24.5, 3])
    expect(data[0]).toMatchObject({ quantity: '13.5', events: 2 })
    expect(data.at(-1)?.windowEnd).toBe('2026-02-01T00:00:00.000Z')
  })

  test('events add up to the quantity over pages; an adjustment has the events that came after its line', async () => {
    const { path } = await lineOf(1, 'usage')
    const first = await server.ok<Events>('GET', `${path}/events?limit=2`)
    const second = await server.ok<Events>('GET', `${path}/events?limit=2&cursor=${first.nextCursor}`)
    expect([...first.data, ...second.data].map(({ id, quantity }) => [id, quantity])).toEqual([
      ['1', '4'],
      ['2', '9.5'],
      ['4', '11'],
    ])
    expect(second.nextCursor).toBeNull()
    const late = await lineOf(2, 'adjustment')
    expect(late.line).toMatchObject({ quantity: '2', amount: '1.00' })
    expect((await server.ok<Events>('GET', `${late.path}/events`)).data).toMatchObject([{ id: '5', quantity: '2' }])
    expect((await server.ok<Windows>('GET', `${late.path}/windows`)).data).toMatchObject([{ quantity: '2', events: 1 }])
  })

  test('a proof counts the events and prices them again, also after the meter means something else', async () => {
    const proofs = async () => [
      await server.ok<Proof>('GET', `${(await lineOf(1, 'usage')).path}/proof`),
      await server.ok<Proof>('GET', `${(await lineOf(2, 'adjustment')).path}/proof`),
    ]
    const wanted = [
      { quantity: '24.5', recounted: '24.5', amount: '7.25', recomputed: '7.25', agrees: true },
      { quantity: '2', recounted: '2', amount: '1.00', recomputed: '1.00', agrees: true },
    ]
    expect(await proofs()).toEqual(wanted)
    await server.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count', dimensions: { model: 'model' } })
    expect(await proofs()).toEqual(wanted)
    const { path } = await lineOf(1, 'usage')
    expect(sum((await server.ok<Windows>('GET', `${path}/windows?window=hour`)).data)).toBe(24.5)
  })

  test('a fee counts no events, and an unknown line is none', async () => {
    const { path } = await lineOf(0, 'base')
    for (const of of ['windows', 'events', 'proof']) {
      expect(await server.call('GET', `${path}/${of}`)).toMatchObject({ status: 409, body: { code: 'line_not_counted' } })
    }
    const invoice = path.split('/lines/')[0]
    expect(await server.call('GET', `${invoice}/lines/99/events`)).toMatchObject({ status: 404, body: { code: 'unknown_line' } })
    expect(await server.call('GET', `${path}/events?cursor=x`)).toMatchObject({ status: 400 })
  })

  test('a line of more windows than an answer holds is refused, and answered by longer ones', async () => {
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '1' } }]
    await server.ok('PUT', '/v1/plans/yearly', { product: 'p', name: 'Y', currency: 'EUR', interval: 'year', charges })
    await server.ok('PUT', '/v1/customers/yearly', {})
    await server.ok('POST', '/v1/subscriptions', { customer: 'yearly', plan: 'yearly', startAt: '2025-02-01T00:00:00Z' })
    await server.ok('POST', '/v1/events', [
      { id: 'y', type: 'call', subject: 'yearly', time: '2026-01-31T00:00:00Z', data: { n: 1, model: 'a' } },
    ])
    await server.bill({ customers: ['yearly'] })
    const [invoice] = (await server.ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=yearly')).data
    const path = `/v1/invoices/${invoice?.id}/lines/1/windows`
    expect(await server.call('GET', `${path}?window=minute`)).toMatchObject({ status: 400, body: { code: 'too_many_windows' } })
    expect((await server.ok<Windows>('GET', `${path}?window=day`)).data).toMatchObject([{ quantity: '1' }])
  })

  test('the book of all of it proves itself', async () => {
    expect(await server.verify()).toMatchObject({ code: 0, output: expect.stringContaining('No difference found') })
  })
})
