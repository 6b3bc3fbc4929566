import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

/** What one customer is billed otherwise than the plan says, over HTTP. */
describe('prices of a subscription’s own', () => {
  let server: BillingServer
  const flat = (unitAmount: string) => ({ model: 'flat', unitAmount })
  const plan = (unitAmount: string) => ({
    ...{ product: 'p', name: 'P', currency: 'EUR', interval: 'month', baseFee: '31' },
    charges: [
      { key: 'calls', feature: 'calls', price: flat(unitAmount) },
      { key: 'toString', feature: 'calls', price: flat('0.01') },
    ],
  })
  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
    await ok('PUT', '/v1/plans/pro', plan('1'))
    await ok('PUT', '/v1/plans/other', plan('3'))
    await ok('PUT', '/v1/customers/acme', {})
  })
  afterAll(async () => {
    const { code, output } = await server.verify()
    await server.stop()
    expect(code, output).toBe(0)
    expect(output).toMatch(/default l: has usage that came after its late window\nNo difference found/)
  })

  const use = (id: string, n: number, time: string) =>
    server.ok('POST', '/v1/events', [{ id, type: 'call', customer: 'acme', time, data: { n } }])
  const change = (body: object) => server.call('POST', '/v1/subscriptions/s/change', body)

  test('bill in place of the plan’s, move with the plan, and split the usage but not the fee', async () => {
    const priceOverrides = { calls: flat('0.5') }
    const made = await server.call('POST', '/v1/subscriptions', { id: 's', customer: 'acme', plan: 'pro', startAt: START, priceOverrides })
    expect(made).toMatchObject({ status: 201, body: { priceOverrides, phases: [{ priceOverrides }] } })
    await server.bill()
    await use('1', 10, '2026-01-01T00:00:00Z')
    server.set(instant('2026-01-11T00:00:00Z'))
    await use('2', 4, '2026-01-11T00:00:00Z')
    const wanted = { plan: 'pro', at: 'now', priceOverrides: { calls: flat('2') } }
    const amounts = ['31.00', '5.00', '0.10', '8.00', '0.04'].map((amount) => ({ amount }))
    await expect
      .poll(() => server.ok('POST', '/v1/subscriptions/s/change-preview', wanted), { timeout: 60_000 })
      .toMatchObject({ data: [{ kind: 'cycle', lines: amounts }] })
    expect((await change(wanted)).body).toMatchObject({
      priceOverrides: { calls: flat('2') },
      phases: [{ priceOverrides }, { priceOverrides: { calls: flat('2') } }],
    })
    server.set(instant('2026-02-01T01:00:00Z'))
    await server.bill()
    const { data } = await server.ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=acme')
    const lines = data.flatMap((each) => each.lines.map((line) => `${line.kind} ${line.item ?? ''} ${line.quantity ?? ''} ${line.amount}`))
    expect(lines).toEqual([
      ...['base   31.00', 'base   31.00'],
      ...['usage calls 10 5.00', 'usage toString 10 0.10', 'usage calls 4 8.00', 'usage toString 4 0.04'],
    ])
    const [first] = data.at(-1)?.lines.filter(({ item }) => item === 'calls') ?? []
    expect(await server.ok('GET', `/v1/invoices/${data.at(-1)?.id}/lines/${first?.line}/proof`)).toMatchObject({
      ...{ recounted: '10', recomputed: '5.00', agrees: true },
    })
  })

  test('stay on a new version of the plan, and end with `{}` or on another plan', async () => {
    await server.ok('PUT', '/v1/plans/pro', plan('1.5'))
    expect((await change({ plan: 'pro', at: 'now' })).body).toMatchObject({ planVersion: 2, priceOverrides: { calls: flat('2') } })
    expect((await change({ plan: 'pro', at: 'periodEnd', priceOverrides: {} })).body).toMatchObject({ phases: { length: 4 } })
    expect((await change({ plan: 'pro', at: 'periodEnd' })).body, 'the present prices call the change off').toMatchObject({
      phases: { length: 3 },
    })
    const answer = await change({ plan: 'other', at: 'now' })
    expect(answer).toMatchObject({ status: 200, body: { plan: 'other' } })
    expect(answer.body).not.toHaveProperty('priceOverrides')
  })

  test.each([
    { priceOverrides: { none: flat('1') }, code: 'unknown_charge', field: 'priceOverrides.none' },
    { priceOverrides: { calls: flat('-1') }, code: 'invalid_price', field: 'priceOverrides.calls.unitAmount' },
    { priceOverrides: { calls: { model: 'flat', unitAmount: 'NaN' } }, code: 'invalid_price', field: 'priceOverrides.calls.unitAmount' },
  ])('$code for $field, and nothing is made', async ({ priceOverrides, code, field }) => {
    const wrong = { status: 400, body: { code, errors: [{ field }] } }
    await server.ok('PUT', '/v1/customers/beta', {})
    expect(await server.call('POST', '/v1/subscriptions', { customer: 'beta', plan: 'pro', priceOverrides })).toMatchObject(wrong)
    expect(await change({ plan: 'pro', at: 'now', priceOverrides })).toMatchObject(wrong)
    expect(await server.call('POST', '/v1/subscriptions/s/change-preview', { plan: 'pro', at: 'now', priceOverrides })).toMatchObject(wrong)
    expect(await server.ok('GET', '/v1/subscriptions?customer=beta')).toMatchObject({ data: [] })
  })

  test('usage of a time whose late window has closed is billed by a run that says so, once', async () => {
    const { ok, set } = server
    set(instant('2026-02-02T00:00:00Z'))
    await ok('PUT', '/v1/customers/late', {})
    await ok('POST', '/v1/subscriptions', { id: 'l', customer: 'late', plan: 'other', startAt: START })
    for (const at of ['2026-03-01', '2026-04-01', '2026-05-01']) {
      set(instant(`${at}T02:00:00Z`))
      await server.bill({ customers: ['late'] })
    }
    const old = { id: 'old', type: 'call', customer: 'late', time: '2026-01-05T00:00:00Z', data: { n: 10 } }
    await ok('POST', '/v1/events?backfill=true', [old])
    expect(await server.bill({ customers: ['late'] })).toMatchObject({ due: 0, finalised: 0 })
    const lateFrom = START
    expect(await server.bill({ lateFrom: '2026-02-01T00:00:00Z', customers: ['late'] })).toMatchObject({ finalised: 0 })
    expect(await server.bill({ lateFrom, customers: ['late'], dryRun: true })).toMatchObject({ late: 1, finalised: 1 })
    expect(await server.bill({ lateFrom, customers: ['late'] })).toMatchObject({ late: 1, finalised: 1 })
    expect(await server.bill({ lateFrom, customers: ['late'] })).toMatchObject({ late: 1, finalised: 0 })
    const last = async () => (await ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=late')).data.at(-1)
    const late = await last()
    expect(late).toMatchObject({
      ...{ kind: 'adjustment', status: 'finalised', total: '30.10' },
      lines: [
        { kind: 'adjustment', item: 'calls', from: '2026-01-01T00:00:00.000Z', quantity: '10', amount: '30.00' },
        { kind: 'adjustment', item: 'toString', quantity: '10', amount: '0.10' },
      ],
    })
    await ok('POST', `/v1/invoices/${late?.id}/void`, { reason: 'not agreed', rebill: true })
    set(instant('2026-06-01T02:00:00Z'))
    await server.bill({ customers: ['late'] })
    expect(await last(), 'a void opens the time again, and the next document bills it').toMatchObject({ kind: 'cycle', total: '61.10' })
    await ok('POST', '/v1/events?backfill=true', [{ ...old, id: 'older' }])
    const ahead = await server.call('POST', '/v1/billing-runs', { lateFrom: '2027-01-01T00:00:00Z' })
    expect(ahead).toMatchObject({ status: 400, body: { code: 'invalid_time', errors: [{ field: 'lateFrom' }] } })
  })

  test('a threshold counts events ahead of its clock, and its line says so: it is proved by them', async () => {
    const { ok, set } = server
    set(instant('2026-06-02T12:00:00Z'))
    await ok('PUT', '/v1/plans/capped', { ...plan('1'), baseFee: '0', thresholdAmount: '5' })
    await ok('PUT', '/v1/customers/eager', {})
    await ok('POST', '/v1/subscriptions', { customer: 'eager', plan: 'capped', startAt: '2026-06-01T00:00:00Z' })
    const event = (id: string, time: string) => ({ id, type: 'call', customer: 'eager', time, data: { n: 10 } })
    await ok('POST', '/v1/events', [event('eager', '2026-06-02T12:40:00Z')])
    await server.bill({ customers: ['eager'] })
    const { data } = await ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=eager')
    const made = data.at(-1)
    expect(made).toMatchObject({ kind: 'threshold', lines: [{ item: 'calls', to: '2026-06-02T12:00:00.000Z' }, {}] })
    const path = `/v1/invoices/${made?.id}/lines/1`
    expect(await ok('GET', `${path}/proof`)).toMatchObject({ quantity: '10', recounted: '10', agrees: true })
    expect(await ok('GET', `${path}/events`)).toMatchObject({ data: [{ id: 'eager' }] })
    expect(await ok('GET', `${path}/windows?window=hour`)).toMatchObject({ data: [{ quantity: '10' }] })
  })

  test('a wallet keeps its terms, each currency its own, and refuses what makes no sense', async () => {
    const { ok, call } = server
    const path = '/v1/customers/acme/wallet?currency=EUR'
    expect(await ok('GET', path)).toMatchObject({ atZero: 'soft' })
    const topUp = { below: '5', amount: '20', upTo: '50', perDayMax: 3 }
    const kept = { atZero: 'hard', topUp: { below: '5.00', amount: '20.00', upTo: '50.00', perDayMax: 3, grantOn: 'paid' } }
    expect(await call('PUT', path, { atZero: 'hard', topUp })).toMatchObject({ status: 200, body: kept })
    expect(await ok('GET', path)).toMatchObject(kept)
    expect(await ok('GET', '/v1/customers/acme/wallet?currency=USD')).toMatchObject({ atZero: 'soft' })
    for (const [wrong, code, field] of [
      [{ below: '-1' }, 'invalid_amount', 'topUp.below'],
      [{ below: '0.001' }, 'amount_too_fine', 'topUp.below'],
      [{ amount: '0' }, 'invalid_amount', 'topUp.amount'],
      [{ amount: 'NaN' }, 'amount_too_fine', 'topUp.amount'],
      [{ upTo: '4' }, 'invalid_amount', 'topUp.upTo'],
    ] as const) {
      const answer = await call('PUT', path, { topUp: { ...topUp, ...wrong } })
      expect(answer, JSON.stringify(wrong)).toMatchObject({ status: 400, body: { code, errors: [{ field }] } })
    }
    expect((await call('PUT', path, { topUp: { ...topUp, perDayMax: 0 } })).status).toBe(400)
    expect(await ok('GET', path), 'what is refused changes nothing').toMatchObject(kept)
    expect(await call('PUT', '/v1/customers/none/wallet?currency=EUR', {})).toMatchObject({ status: 404 })
    expect(await ok('PUT', path, {})).not.toHaveProperty('topUp')
  })

  test('a repeat with the same prices is the same subscription, and with others it is refused', async () => {
    const again = { id: 's', customer: 'acme', plan: 'pro', startAt: START }
    expect(await server.call('POST', '/v1/subscriptions', { ...again, priceOverrides: { calls: flat('0.5') } })).toMatchObject({
      status: 201,
    })
    expect(await server.call('POST', '/v1/subscriptions', { ...again, priceOverrides: { calls: flat('0.6') } })).toMatchObject({
      status: 409,
    })
  })
})
