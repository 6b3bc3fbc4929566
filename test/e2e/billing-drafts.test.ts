import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

type Entry = { source: string; account: string; amount: string; balance: string }

/** Documents by hand, notes, and what customers have. */
describe('what people do about money, over HTTP', () => {
  let server: BillingServer
  const post = (path: string, body: object = {}) => server.call('POST', path, body)
  const documents = async (customer: string) => (await server.ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?customer=${customer}`)).data
  const ledger = async (customer: string) =>
    (await server.ok<{ data: Entry[] }>('GET', `/v1/customers/${customer}/ledger?currency=EUR`)).data
  const standing = async (customer: string) => {
    const last = new Map((await ledger(customer)).map(({ account, balance }) => [account, balance]))
    return Object.fromEntries([...last].filter(([, balance]) => Number(balance) !== 0))
  }

  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
    await ok('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '20' })
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '1' } }]
    await ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', baseFee: '31', charges })
    await ok('PUT', '/v1/billing-settings', { autoFinalise: false, taxRates: ['vat'] })
  })
  afterAll(() => server?.stop())

  const customer = async (key: string) => {
    server.set(instant(START))
    await server.ok('PUT', `/v1/customers/${key}`, { currency: 'EUR' })
  }
  const subscribed = async (key: string) => {
    await customer(key)
    return (await server.ok<{ id: string }>('POST', '/v1/subscriptions', { customer: key, plan: 'pro', startAt: START })).id
  }
  const draft = async (key: string, lines: object[], more: object = {}) =>
    await server.ok<FinalInvoice>('POST', '/v1/invoices', { customer: key, lines, ...more })

  test('a document by hand is a draft, changed at will, and final once', async () => {
    await customer('hand')
    const { id, ...made } = await draft('hand', [{ description: 'Set-up', quantity: '3', unitAmount: '33.335' }])
    expect(made).toMatchObject({
      status: 'draft',
      kind: 'manual',
      number: null,
      finalisedAt: null,
      net: '100.01',
      tax: '20.00',
      total: '120.01',
    })
    await server.ok('POST', `/v1/invoices/${id}/lines`, {
      lines: [
        { description: 'Trip', unitAmount: '50', taxRates: [] },
        { description: 'Oops', unitAmount: '1' },
      ],
    })
    expect(await server.ok('DELETE', `/v1/invoices/${id}/lines/3`)).toMatchObject({
      lines: [{ item: 'Set-up' }, { item: 'Trip', tax: '0.00' }],
      total: '170.01',
    })
    expect(await server.ok('GET', '/v1/invoices?status=draft&customer=hand')).toMatchObject({ data: [{ id, total: '170.01' }] })
    expect(await documents('hand')).toEqual([])
    await server.ok('PUT', `/v1/invoices/${id}/pause`, { paused: true })
    expect(await post(`/v1/invoices/${id}/finalise`)).toMatchObject({ status: 409, body: { code: 'invoice_paused' } })
    await server.ok('PUT', `/v1/invoices/${id}/pause`, { paused: false })
    expect((await post(`/v1/invoices/${id}/finalise`)).body).toMatchObject({
      id,
      status: 'finalised',
      number: expect.stringMatching(/^INV-/),
      due: '170.01',
    })
    expect(await server.ok('GET', `/v1/invoices/${id}`)).toMatchObject({ status: 'finalised', total: '170.01' })
    for (const change of [
      () => post(`/v1/invoices/${id}/lines`, { lines: [{ description: 'Late', unitAmount: '1' }] }),
      () => server.call('DELETE', `/v1/invoices/${id}/lines/1`),
      () => server.call('DELETE', `/v1/invoices/${id}`),
      () => server.call('PUT', `/v1/invoices/${id}/pause`, { paused: true }),
      () => post(`/v1/invoices/${id}/finalise`),
    ]) {
      expect(await change()).toMatchObject({ status: 409, body: { code: 'invoice_final' } })
    }
    expect(await standing('hand')).toEqual({ receivable: '170.01', revenue: '-150.01', tax: '-20.00' })
  })

  test('a draft may be removed; an empty one is not made final', async () => {
    await customer('gone')
    const { id } = await draft('gone', [{ description: 'x', unitAmount: '1' }])
    await server.ok('DELETE', `/v1/invoices/${id}/lines/1`)
    expect(await post(`/v1/invoices/${id}/finalise`)).toMatchObject({ status: 409, body: { code: 'draft_empty' } })
    expect(await server.call('DELETE', `/v1/invoices/${id}/lines/1`)).toMatchObject({ status: 404, body: { code: 'unknown_line' } })
    expect((await server.call('DELETE', `/v1/invoices/${id}`)).status).toBe(204)
    expect(await server.call('GET', `/v1/invoices/${id}`)).toMatchObject({ status: 404, body: { code: 'unknown_invoice' } })
  })

  test('a draft has as many lines as one may', async () => {
    await customer('long')
    const line = { description: 'x', unitAmount: '1' }
    const { id } = await draft(
      'long',
      Array.from({ length: 100 }, () => line),
    )
    expect(await post(`/v1/invoices/${id}/lines`, { lines: [line] })).toMatchObject({ status: 409, body: { code: 'too_many_lines' } })
  })

  test('a top-up sells a credit, which the customer has once it is paid and which cannot be taken back by a note before', async () => {
    await customer('payer')
    const lines = [{ description: '110 for 100', unitAmount: '100' }]
    const { id } = await draft('payer', lines, { credit: { id: 'c110', amount: '110' } })
    await server.ok('POST', `/v1/invoices/${id}/finalise`)
    expect(await server.ok('GET', '/v1/customers/payer/wallet')).toMatchObject({ booked: '0.00', credits: [] })
    expect(await standing('payer')).toEqual({ receivable: '120.00', credits: '-100.00', tax: '-20.00' })
    expect(await post(`/v1/invoices/${id}/credit-notes`, { lines: [{ line: '1' }], reason: 'x' })).toMatchObject({
      ...{ status: 409, body: { code: 'invoice_not_open' } },
    })
    await server.ok('POST', `/v1/invoices/${id}/payments`, { amount: '20', reference: 'first' })
    expect(await server.ok('GET', '/v1/customers/payer/wallet')).toMatchObject({ booked: '0.00' })
    await server.ok('POST', '/v1/customers/payer/credits', { id: 'c110', amount: '1' })
    for (const _twice of [1, 2]) await server.ok('POST', `/v1/invoices/${id}/payments`, { amount: '100', reference: 'rest' })
    expect(await server.ok('GET', '/v1/customers/payer/wallet')).toMatchObject({
      ...{
        booked: '111.00',
        credits: [
          { id: 'c110', left: '1.00' },
          { id, left: '110.00' },
        ],
      },
    })
    expect(await standing('payer')).toEqual({ cash: '120.00', credits: '-111.00', promotion: '11.00', tax: '-20.00' })
    const { id: unpaid } = await draft('payer', lines, { credit: { amount: '110' } })
    await server.ok('POST', `/v1/invoices/${unpaid}/finalise`)
    await server.ok('POST', `/v1/invoices/${unpaid}/void`, { reason: 'never paid' })
    expect(await server.ok('GET', '/v1/customers/payer/wallet')).toMatchObject({ booked: '111.00' })
  })

  test('with grantOn finalised the customer has the credit once the document is final, and it goes with it', async () => {
    await customer('buyer')
    const { id } = await draft('buyer', [{ description: '110 for 100', unitAmount: '100' }], {
      credit: { id: 'c110', amount: '110', grantOn: 'finalised' },
    })
    expect(await server.ok('GET', '/v1/customers/buyer/credits')).toMatchObject({ data: [] })
    await server.ok('POST', `/v1/invoices/${id}/finalise`)
    expect(await server.ok('GET', '/v1/customers/buyer/wallet')).toMatchObject({
      booked: '110.00',
      pending: '0.00',
      available: '110.00',
      credits: [{ id: 'c110', left: '110.00' }],
    })
    expect(await standing('buyer')).toEqual({ receivable: '120.00', credits: '-110.00', promotion: '10.00', tax: '-20.00' })
    await server.ok('POST', `/v1/invoices/${id}/void`, { reason: 'changed their mind' })
    expect(await standing('buyer')).toEqual({})
    expect(await server.ok('GET', '/v1/customers/buyer/credits')).toMatchObject({ data: [{ left: '0.00' }] })
  })

  test('a credit is taken back with what is left of it, once', async () => {
    await customer('given')
    await server.ok('POST', '/v1/customers/given/credits', { id: 'gift', amount: '50' })
    expect((await post('/v1/credits/gift/void')).body).toMatchObject({ left: '0.00' })
    expect((await post('/v1/credits/gift/void')).body).toMatchObject({ left: '0.00' })
    expect(await standing('given')).toEqual({})
    await customer('also')
    await server.ok('POST', '/v1/customers/also/credits', { id: 'gift', amount: '5' })
    expect(await post('/v1/credits/gift/void')).toMatchObject({ status: 409, body: { code: 'credit_of_several' } })
    expect((await post('/v1/credits/gift/void?customer=also')).body).toMatchObject({ customer: 'also', left: '0.00' })
    expect(await post('/v1/credits/none/void')).toMatchObject({ status: 404, body: { code: 'unknown_credit' } })
  })

  test('a credit may be given in the tenant’s unit, and is shown in it; one that is no whole cents is refused', async () => {
    await customer('tokens')
    const settings = { autoFinalise: false, taxRates: ['vat'] }
    await server.ok('PUT', '/v1/billing-settings', { ...settings, creditUnit: { name: 'token', amount: '0.001', currency: 'EUR' } })
    const path = '/v1/customers/tokens/credits'
    expect((await post(path, { id: 't1', units: '5000' })).body).toMatchObject({
      amount: '5.00',
      units: { name: 'token', amount: '5000', left: '5000' },
    })
    expect(await post(path, { units: '5' })).toMatchObject({ status: 400, body: { code: 'invalid_amount', errors: [{ field: 'units' }] } })
    expect(await post(path, { units: '10', amount: '1' })).toMatchObject({ status: 400, body: { errors: [{ field: 'amount' }] } })
    expect(await post(path, { units: '10', currency: 'USD' })).toMatchObject({ status: 400, body: { errors: [{ field: 'units' }] } })
    const wrong = { ...settings, creditUnit: { name: 'token', amount: '0', currency: 'EUR' } }
    expect(await server.call('PUT', '/v1/billing-settings', wrong)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'creditUnit.amount' }] },
    })
    await server.ok('PUT', '/v1/billing-settings', settings)
  })

  test('the wallet shows usage that no document has yet; the ledger goes on over pages', async () => {
    await subscribed('wallet')
    await server.ok('POST', '/v1/customers/wallet/credits', { id: 'w1', amount: '10' })
    await server.bill({ customers: ['wallet'] })
    await server.ok('POST', '/v1/events', [{ id: 'w', type: 'call', subject: 'wallet', time: START, data: { n: 4 } }])
    server.set(instant('2026-01-02T00:00:00Z'))
    await server.bill({ customers: ['wallet'] })
    expect(await server.ok('GET', '/v1/customers/wallet/wallet')).toMatchObject({
      booked: '10.00',
      pending: '4.00',
      available: '6.00',
      atZero: 'soft',
    })
    const all = await ledger('wallet')
    const first = await server.ok<{ data: Entry[]; nextCursor: string }>('GET', '/v1/customers/wallet/ledger?currency=EUR&limit=2')
    const rest = await server.ok<{ data: Entry[] }>('GET', `/v1/customers/wallet/ledger?currency=EUR&cursor=${first.nextCursor}`)
    expect([...first.data, ...rest.data]).toEqual(all)
    expect(await server.call('GET', '/v1/customers/nobody/wallet?currency=EUR')).toMatchObject({
      status: 404,
      body: { code: 'unknown_customer' },
    })
  })

  test('notes take back line by line: off what is due, then to the balance, and never more than is left', async () => {
    await subscribed('noted')
    await server.bill({ customers: ['noted'] })
    const [invoice] = await documents('noted')
    const path = `/v1/invoices/${invoice?.id}`
    await server.ok('POST', `${path}/payments`, { amount: '30', reference: 'n1' })
    const note = await post(`${path}/credit-notes`, { lines: [{ line: '1', amount: '10' }], reason: 'outage' })
    expect(note).toMatchObject({
      status: 201,
      body: {
        ...{ document: 'creditNote', kind: 'creditNote', number: expect.stringMatching(/^CN-/), invoice: invoice?.id, reason: 'outage' },
        ...{ net: '-10.00', tax: '-2.00', total: '12.00', taxes: [{ key: 'vat', base: '-10.00', amount: '-2.00' }] },
        lines: [{ kind: 'base', amount: '-10.00', adjusts: { invoice: invoice?.id, line: '1' } }],
      },
    })
    expect(await server.ok('GET', path)).toMatchObject({ status: 'paid', due: '0.00', paid: '30.00', total: '37.20' })
    expect(await standing('noted')).toEqual({ cash: '30.00', balance: '-4.80', revenue: '-21.00', tax: '-4.20' })
    expect(await post(`${path}/credit-notes`, { lines: [{ line: '1', amount: '21.01' }], reason: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'exceeds_creditable' },
    })
    expect((await post(`${path}/credit-notes`, { lines: [{ line: '1' }], reason: 'all', refund: 'external' })).body).toMatchObject({
      total: '25.20',
    })
    expect(await standing('noted')).toEqual({ cash: '4.80', balance: '-4.80' })
    expect(await post(`${path}/credit-notes`, { lines: [{ line: '1' }], reason: 'x' })).toMatchObject({
      status: 409,
      body: { code: 'nothing_to_credit' },
    })
    expect(await post(`${path}/void`, { reason: 'x' })).toMatchObject({ status: 409, body: { code: 'invoice_not_open' } })
    expect((await documents('noted')).map(({ document }) => document)).toEqual(['invoice', 'creditNote', 'creditNote'])
  })

  test('what credits had paid goes back to them when it is asked for', async () => {
    await subscribed('repaid')
    await server.ok('POST', '/v1/customers/repaid/credits', { id: 'r1', amount: '6' })
    await server.ok('POST', '/v1/events', [{ id: 'r', type: 'call', subject: 'repaid', time: START, data: { n: 8 } }])
    server.set(instant('2026-02-01T01:00:00Z'))
    await server.bill({ customers: ['repaid'] })
    const cycle = (await documents('repaid')).find(({ kind }) => kind === 'cycle')
    const usage = cycle?.lines.find(({ kind }) => kind === 'usage')
    const note = await post(`/v1/invoices/${cycle?.id}/credit-notes`, {
      lines: [{ line: usage?.line, amount: '1' }],
      reason: 'x',
      toCredits: true,
    })
    expect(note.body).toMatchObject({ net: '-1.00', creditsReturned: '3.00' })
    expect(await server.ok('GET', '/v1/customers/repaid/credits')).toMatchObject({ data: [{ left: '3.00' }] })
    const rest = await post(`/v1/invoices/${cycle?.id}/credit-notes`, { lines: [{ line: usage?.line }], reason: 'x', toCredits: true })
    expect(rest.body).toMatchObject({ net: '-1.00', creditsReturned: '3.00' })
    expect(await server.ok('GET', '/v1/customers/repaid/credits')).toMatchObject({ data: [{ left: '6.00' }] })
  })

  test('a void without rebill leaves the time unbilled, and nothing of it is given back later', async () => {
    const id = await subscribed('waived')
    await server.bill({ customers: ['waived'] })
    const [opening] = await documents('waived')
    await server.ok('POST', `/v1/invoices/${opening?.id}/void`, { reason: 'first month free' })
    server.set(instant('2026-01-16T00:00:00Z'))
    await server.ok('POST', `/v1/subscriptions/${id}/cancel`, { at: 'now', invoice: 'now' })
    await server.bill({ customers: ['waived'] })
    server.set(instant('2026-03-01T00:00:00Z'))
    await server.bill({ customers: ['waived'] })
    expect((await documents('waived')).map(({ kind, total }) => [kind, total])).toEqual([['opening', '37.20']])
    expect(await standing('waived')).toEqual({})
  })

  const draftsOf = async (subscription: string) =>
    (await server.ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?status=draft&subscription=${subscription}`)).data

  test('the drafts of a subscription are what it would be billed, and become final in order, without waiting for the grace', async () => {
    const id = await subscribed('viewed')
    await server.bill({ customers: ['viewed'] })
    await server.ok('POST', '/v1/events', [{ id: 'v', type: 'call', subject: 'viewed', time: START, data: { n: 3 } }])
    server.set(instant('2026-03-01T00:00:00Z'))
    await server.bill({ customers: ['viewed'], dryRun: true })
    const [first, second, third, ...more] = await draftsOf(id)
    expect([first, second, third].map((each) => [each?.kind, each?.closesAt.slice(0, 10), each?.net])).toEqual([
      ['cycle', '2026-02-01', '34.00'],
      ['cycle', '2026-03-01', '31.00'],
      ['cycle', '2026-04-01', '31.00'],
    ])
    expect(more).toEqual([])
    expect(await server.ok('GET', `/v1/invoices/${second?.id}`)).toMatchObject({ id: second?.id, status: 'draft', number: null })
    expect(await post(`/v1/invoices/${second?.id}/finalise`)).toMatchObject({ status: 409, body: { code: 'earlier_invoice_open' } })
    const final = await post(`/v1/invoices/${first?.id}/finalise`)
    expect(final).toMatchObject({ status: 200, body: { status: 'finalised', net: '34.00', number: expect.stringMatching(/^INV-/) } })
    expect(await server.ok('GET', `/v1/invoices/${first?.id}`), 'a draft that became final is that document').toMatchObject(
      final.body as object,
    )
    expect(await post(`/v1/invoices/${first?.id}/finalise`)).toMatchObject({ status: 409, body: { code: 'invoice_final' } })
    expect(await post(`/v1/invoices/${second?.id}/finalise`)).toMatchObject({ status: 200, body: { net: '31.00' } })
    expect(await post(`/v1/invoices/${third?.id}/finalise`)).toMatchObject({ status: 409, body: { code: 'period_not_over' } })
    await server.bill({ customers: ['viewed'] })
    expect((await documents('viewed')).map(({ kind }) => kind)).toEqual(['opening', 'cycle', 'cycle'])
  })

  test('lines added to the draft of a subscription are billed with it; a paused one is not made final, and none after it', async () => {
    const id = await subscribed('extra')
    await server.bill({ customers: ['extra'] })
    const [draftNow] = await draftsOf(id)
    const path = `/v1/invoices/${draftNow?.id}`
    await server.ok('POST', `${path}/lines`, {
      lines: [
        { description: 'Trip', unitAmount: '50' },
        { description: 'Oops', unitAmount: '1' },
      ],
    })
    const [, oops] = (await draftsOf(id))[0]?.lines.filter(({ kind }) => kind === 'manual') ?? []
    expect(await server.ok('DELETE', `${path}/lines/${oops?.line}`)).toMatchObject({ net: '81.00', total: '97.20' })
    expect(await server.call('DELETE', `${path}/lines/1`)).toMatchObject({ status: 404, body: { code: 'unknown_line' } })
    expect(await server.ok('PUT', `${path}/pause`, { paused: true })).toMatchObject({ paused: true })
    server.set(instant('2026-03-02T00:00:00Z'))
    expect(await server.bill({ customers: ['extra'] })).toMatchObject({ finalised: 0 })
    expect(await post(`${path}/finalise`)).toMatchObject({ status: 409, body: { code: 'invoice_paused' } })
    expect(await server.call('DELETE', path)).toMatchObject({ status: 409, body: { code: 'draft_of_subscription' } })
    await server.ok('PUT', `${path}/pause`, { paused: false })
    expect(await server.bill({ customers: ['extra'] })).toMatchObject({ finalised: 2 })
    const [, cycle] = await documents('extra')
    expect(cycle).toMatchObject({ net: '81.00', lines: [{ kind: 'base' }, { kind: 'manual', item: 'Trip', amount: '50.00' }] })
    expect(await post(`/v1/invoices/${cycle?.id}/lines`, { lines: [{ description: 'x', unitAmount: '1' }] })).toMatchObject({
      status: 409,
      body: { code: 'invoice_final' },
    })
  })

  test.each([
    {
      what: 'an amount that is none',
      body: { lines: [{ description: 'x', unitAmount: 'NaN' }] },
      code: 'invalid_amount',
      field: 'lines[0].unitAmount',
    },
    {
      what: 'an amount below zero',
      body: { lines: [{ description: 'x', unitAmount: '-1' }] },
      code: 'invalid_amount',
      field: 'lines[0].unitAmount',
    },
    {
      what: 'a quantity below zero',
      body: { lines: [{ description: 'x', unitAmount: '1', quantity: '-1' }] },
      code: 'invalid_amount',
      field: 'lines[0].quantity',
    },
    {
      what: 'an unknown currency',
      body: { currency: 'XXX', lines: [{ description: 'x', unitAmount: '1' }] },
      code: 'unknown_currency',
      field: 'currency',
    },
    {
      what: 'an unknown tax rate',
      body: { lines: [{ description: 'x', unitAmount: '1', taxRates: ['none'] }] },
      code: 'unknown_tax_rate',
      field: 'lines[0].taxRates[0]',
    },
    {
      what: 'an unknown customer',
      body: { customer: 'nobody', lines: [{ description: 'x', unitAmount: '1' }] },
      code: 'unknown_customer',
      field: 'customer',
    },
    {
      what: 'a credit finer than its currency',
      body: { lines: [{ description: 'x', unitAmount: '1' }], credit: { amount: '1.001' } },
      code: 'amount_too_fine',
      field: 'credit.amount',
    },
    {
      what: 'a credit that ends before it starts',
      body: { lines: [{ description: 'x', unitAmount: '1' }], credit: { amount: '1', expiresAt: '2020-01-01T00:00:00Z' } },
      code: 'invalid_amount',
      field: 'credit.expiresAt',
    },
  ])('a draft with $what is refused as $code', async ({ body, code, field }) => {
    await customer('bad')
    const answer = await post('/v1/invoices', { customer: 'bad', ...body })
    expect(answer).toMatchObject({ body: { code, errors: [{ field }] } })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
  })

  test('a tax rate that there is not is refused where it is named', async () => {
    const unknown = { code: 'unknown_tax_rate' }
    expect((await server.call('PUT', '/v1/customers/taxed', { taxRates: ['vat', 'none'] })).body).toMatchObject({
      ...unknown,
      errors: [{ field: 'taxRates[1]' }],
    })
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '1' }, taxRates: ['none'] }]
    const plan = { product: 'p', name: 'Taxed', currency: 'EUR', interval: 'month', charges }
    expect((await server.call('PUT', '/v1/plans/taxed', plan)).body).toMatchObject({
      ...unknown,
      errors: [{ field: 'charges[0].taxRates[0]' }],
    })
  })

  test('the book of all of it proves itself', async () => {
    expect(await server.verify()).toMatchObject({ code: 0, output: expect.stringContaining('No difference found') })
  })
})
