import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

/** What becomes of documents after they were made final. */
describe('documents over HTTP', () => {
  let server: BillingServer
  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', baseFee: '30' })
    await ok('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '20' })
    const seller = { name: 'Seller <b>& Co</b>', footer: '"thanks"' }
    await ok('PUT', '/v1/billing-settings', { autoFinalise: false, taxRates: ['vat'], seller, invoicePrefix: 'R-' })
  })
  afterAll(() => server?.stop())

  const subscribed = async (customer: string) => {
    server.set(instant(START))
    await server.ok('PUT', `/v1/customers/${customer}`, { name: `<i>${customer}</i>` })
    await server.ok('POST', '/v1/subscriptions', { customer, plan: 'pro', startAt: START })
    await server.bill({ customers: [customer] })
    return await documents(customer)
  }
  const documents = async (customer: string) => (await server.ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?customer=${customer}`)).data
  const post = (path: string, body: object) => server.call('POST', path, body)

  test('a document has its number, taxes, hash and parties, and is a page with nothing unescaped', async () => {
    const [invoice] = await subscribed('taxed')
    expect(invoice).toMatchObject({
      ...{ number: expect.stringMatching(/^R-\d{6}$/), status: 'finalised', net: '30.00', tax: '6.00', total: '36.00', due: '36.00' },
      ...{ contentHash: expect.stringMatching(/^[0-9a-f]{64}$/), billTo: { name: '<i>taxed</i>' } },
    })
    const page = await server.call('GET', `/v1/invoices/${invoice?.id}`, undefined, { accept: 'text/html' })
    expect(page.body).toContain('Seller &lt;b&gt;&amp; Co&lt;/b&gt;')
    expect(page.body).not.toMatch(/<i>|<b>/)
    const pdf = () => server.call('GET', `/v1/invoices/${invoice?.id}`, undefined, { accept: 'application/pdf' })
    const first = await pdf()
    expect(first).toMatchObject({ status: 200, body: expect.stringMatching(/^%PDF-/) })
    await post(`/v1/invoices/${invoice?.id}/payments`, { amount: '1', reference: 'pdf' })
    expect(await pdf()).toEqual(first)
  })

  test('payments pay once for a reference; what is too much pays the next document', async () => {
    const [invoice] = await subscribed('payer')
    const path = `/v1/invoices/${invoice?.id}/payments`
    expect((await post(path, { amount: '10', reference: 'p1' })).body).toMatchObject({ status: 'finalised', due: '26.00', paid: '10.00' })
    expect((await post(path, { amount: '10', reference: 'p1' })).body).toMatchObject({ due: '26.00', paid: '10.00' })
    expect(await post(path, { amount: '11', reference: 'p1' })).toMatchObject({ status: 409, body: { code: 'payment_reference_taken' } })
    expect(await post(path, { amount: '0.001', reference: 'p2' })).toMatchObject({ status: 400, body: { code: 'amount_too_fine' } })
    expect(await post(path, { amount: '-1', reference: 'p2' })).toMatchObject({ status: 400, body: { code: 'invalid_amount' } })
    expect((await post(path, { amount: '40', reference: 'p2' })).body).toMatchObject({ status: 'paid', due: '0.00', paid: '36.00' })
    server.set(instant('2026-02-01T02:00:00Z'))
    await server.bill({ customers: ['payer'] })
    expect((await documents('payer')).at(-1)).toMatchObject({ total: '36.00', balanceApplied: '14.00', due: '22.00' })
  })

  test('a void keeps its number, and with rebill the time is billed anew; a paid one cannot be void', async () => {
    const [invoice] = await subscribed('voided')
    expect(await post(`/v1/invoices/${invoice?.id}/void`, { reason: 'wrong name', rebill: true })).toMatchObject({
      status: 200,
      body: { status: 'void', number: invoice?.number, due: '0.00' },
    })
    await server.bill({ customers: ['voided'] })
    const [, again] = await documents('voided')
    expect(again).toMatchObject({ status: 'finalised', total: '36.00', lines: [{ kind: 'base', amount: '30.00' }] })
    await post(`/v1/invoices/${again?.id}/payments`, { amount: '36', reference: 'v1' })
    expect(await post(`/v1/invoices/${again?.id}/void`, { reason: 'late' })).toMatchObject({
      status: 409,
      body: { code: 'invoice_not_open' },
    })
  })

  test('a void gives the use of a coupon back, and the time billed anew has it again', async () => {
    server.set(instant(START))
    await server.ok('PUT', '/v1/coupons/half', { percent: '50', duration: 'once' })
    await server.ok('PUT', '/v1/customers/regained', {})
    await server.ok('POST', '/v1/subscriptions', { customer: 'regained', plan: 'pro', startAt: START, coupons: ['half'] })
    await server.bill({ customers: ['regained'] })
    const [opening] = await documents('regained')
    expect((await post(`/v1/invoices/${opening?.id}/void`, { reason: 'wrong', rebill: true })).body).toMatchObject({ status: 'void' })
    await server.bill({ customers: ['regained'] })
    expect((await documents('regained')).map(({ net }) => net)).toEqual(['15.00', '15.00'])
  })

  test('only the newest document of a subscription is taken back', async () => {
    const [invoice] = await subscribed('older')
    server.set(instant('2026-02-01T02:00:00Z'))
    await server.bill({ customers: ['older'] })
    expect(await post(`/v1/invoices/${invoice?.id}/void`, { reason: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'not_newest_invoice' },
    })
  })

  test('what is written off may be paid all the same', async () => {
    const [invoice] = await subscribed('late')
    expect((await post(`/v1/invoices/${invoice?.id}/uncollectible`, { reason: 'gone' })).body).toMatchObject({ status: 'uncollectible' })
    expect((await post(`/v1/invoices/${invoice?.id}/payments`, { amount: '36', reference: 'l1' })).body).toMatchObject({ status: 'paid' })
  })

  test('a credit pays usage before tax and is the same one when it is asked for again', async () => {
    server.set(instant(START))
    await server.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
    await server.ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '4' } }]
    await server.ok('PUT', '/v1/plans/metered', { product: 'p', name: 'Metered', currency: 'EUR', interval: 'month', charges })
    await server.ok('PUT', '/v1/customers/prepaid', { currency: 'EUR' })
    await server.ok('POST', '/v1/subscriptions', { customer: 'prepaid', plan: 'metered', startAt: START })
    const credit = { id: 'c1', amount: '5', paid: '4' }
    expect(await post('/v1/customers/prepaid/credits', credit)).toMatchObject({ status: 201, body: { left: '5.00', currency: 'EUR' } })
    expect(await post('/v1/customers/prepaid/credits', credit)).toMatchObject({ status: 200, body: { left: '5.00' } })
    expect(await post('/v1/customers/prepaid/credits', { ...credit, amount: '6' })).toMatchObject({
      status: 409,
      body: { code: 'credit_id_taken' },
    })
    for (const bad of [{ amount: '0' }, { amount: '-1' }, { amount: '1', expiresAt: '2025-01-01T00:00:00Z' }]) {
      expect(await post('/v1/customers/prepaid/credits', bad)).toMatchObject({ status: 400, body: { code: 'invalid_amount' } })
    }
    const event = { specversion: '1.0', source: 's', type: 'call', subject: 'prepaid', time: START }
    await server.ok('POST', '/v1/events', [
      { ...event, id: '1' },
      { ...event, id: '2' },
    ])
    server.set(instant('2026-02-01T02:00:00Z'))
    await server.bill({ customers: ['prepaid'] })
    expect((await documents('prepaid')).at(-1)).toMatchObject({ credits: '5.00', net: '3.00', tax: '0.60', due: '3.60' })
    expect(await server.ok('GET', '/v1/customers/prepaid/credits')).toMatchObject({ data: [{ id: 'c1', left: '0.00', paid: '4.00' }] })
  })

  test('a run ahead of now and an unknown document are refused', async () => {
    expect(await post('/v1/billing-runs', { asOf: '2099-01-01T00:00:00Z' })).toMatchObject({ status: 400, body: { code: 'invalid_time' } })
    expect(await server.call('GET', '/v1/invoices/inv_none')).toMatchObject({ status: 404, body: { code: 'unknown_invoice' } })
    expect(await server.call('GET', '/v1/billing-runs/none')).toMatchObject({ status: 404, body: { code: 'unknown_billing_run' } })
    expect(await post('/v1/invoices/inv_none/void', { reason: 'x' })).toMatchObject({ status: 404, body: { code: 'unknown_invoice' } })
  })

  test.each([
    { coupon: { percent: 10, amount: 1, currency: 'EUR', duration: 'once' }, code: 'invalid_amount' },
    { coupon: { percent: 101, duration: 'once' }, code: 'invalid_percent' },
    { coupon: { amount: 1, duration: 'once' }, code: 'invalid_amount' },
    { coupon: { amount: '1.001', currency: 'EUR', duration: 'once' }, code: 'amount_too_fine' },
    { coupon: { amount: '1', currency: 'XXX', duration: 'once' }, code: 'unknown_currency' },
  ])('a coupon $coupon is refused as $code', async ({ coupon, code }) => {
    expect(await server.call('PUT', '/v1/coupons/bad', coupon)).toMatchObject({ status: 400, body: { code } })
  })

  test('a coupon of one use is had by one subscription, and takes off once', async () => {
    server.set(instant(START))
    await server.ok('PUT', '/v1/coupons/once', { percent: '50', duration: 'once', usesMax: 1 })
    await server.ok('PUT', '/v1/customers/reduced', {})
    const wanted = { customer: 'reduced', plan: 'pro', startAt: START, coupons: ['once'] }
    await server.ok('POST', '/v1/subscriptions', wanted)
    const second = await post('/v1/subscriptions', { ...wanted, allowSeveral: true })
    expect(second.body).toMatchObject({ code: 'coupon_ended', errors: [{ field: 'coupons[0]' }] })
    expect((await post('/v1/subscriptions', { ...wanted, coupons: ['none'] })).body).toMatchObject({ code: 'unknown_coupon' })
    server.set(instant('2026-02-01T02:00:00Z'))
    await server.bill({ customers: ['reduced'] })
    expect((await documents('reduced')).map(({ net }) => net)).toEqual(['15.00', '30.00'])
  })

  test('the book of all of it proves itself', async () => {
    expect(await server.verify()).toMatchObject({ code: 0, output: expect.stringContaining('No difference found') })
  })
})
