import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

const START = '2026-01-01T00:00:00Z'

type World = Readonly<Record<'subscription' | 'oldest' | 'newest' | 'paid' | 'draft', string>>
type Row = {
  readonly what: string
  readonly call: (world: World) => readonly ['POST' | 'PUT' | 'GET', string, object?]
  readonly status: number
  readonly code: string
  /** Where one field is wrong. */
  readonly field?: string
}

const plan = { product: 'p', name: 'Bad', currency: 'EUR', interval: 'month' }
const charge = { key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '1' } }
const line = { description: 'x', unitAmount: '1' }

/** Everything that can be asked of billing and makes no sense: its own code, the field and the limit; nothing is half done. */
describe('bad input to billing, over HTTP', () => {
  let server: BillingServer
  let world: World
  const documents = async () => (await server.ok<{ data: FinalInvoice[] }>('GET', '/v1/invoices?customer=acme')).data
  const everything = async () => [
    await documents(),
    await server.ok('GET', '/v1/customers/acme/ledger?currency=EUR'),
    await server.ok('GET', '/v1/customers/acme/credits?currency=EUR'),
    await server.ok('GET', `/v1/subscriptions/${world.subscription}`),
  ]

  beforeAll(async () => {
    server = await startBillingServer(instant(START))
    const { ok } = server
    await ok('PUT', '/v1/products/p', { name: 'P' })
    await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
    await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
    await ok('PUT', '/v1/plans/pro', { ...plan, name: 'Pro', baseFee: '30', charges: [charge] })
    await ok('PUT', '/v1/plans/dollars', { ...plan, name: 'Dollars', currency: 'USD', baseFee: '30' })
    await ok('PUT', '/v1/customers/acme', { currency: 'EUR' })
    const made = { id: 'sub', customer: 'acme', plan: 'pro', startAt: START, timezone: 'Europe/Berlin' }
    const { id } = await ok<{ id: string }>('POST', '/v1/subscriptions', made)
    server.set(instant('2026-03-10T00:00:00Z'))
    await server.bill()
    const [oldest, paid, newest] = await documents()
    await ok('POST', `/v1/invoices/${paid?.id}/payments`, { amount: '30', reference: 'known' })
    const byHand = await ok<FinalInvoice>('POST', '/v1/invoices', { customer: 'acme', lines: [line] })
    world = { subscription: id, oldest: oldest?.id ?? '', newest: newest?.id ?? '', paid: paid?.id ?? '', draft: byHand.id }
  })
  afterAll(() => server?.stop())

  const put = (body: object) => () => ['PUT', '/v1/plans/bad', { ...plan, ...body }] as const
  const coupon = (body: object) => () => ['PUT', '/v1/coupons/bad', { duration: 'once', ...body }] as const
  const credit = (body: object) => () => ['POST', '/v1/customers/acme/credits', body] as const
  const pay = (body: object) => (of: World) => ['POST', `/v1/invoices/${of.newest}/payments`, body] as const
  const rows: readonly Row[] = [
    {
      what: 'a minimum finer than its currency',
      call: put({ minimum: { amount: '1.001' } }),
      status: 400,
      code: 'amount_too_fine',
      field: 'minimum.amount',
    },
    { what: 'a credit finer than its currency', call: credit({ amount: '1.001' }), status: 400, code: 'amount_too_fine', field: 'amount' },
    {
      what: 'a payment finer than its currency',
      call: pay({ amount: '1.001', reference: 'r' }),
      status: 400,
      code: 'amount_too_fine',
      field: 'amount',
    },
    {
      what: 'an unknown currency',
      call: credit({ amount: '1', currency: 'XXX' }),
      status: 400,
      code: 'unknown_currency',
      field: 'currency',
    },
    { what: 'a plan in an unknown currency', call: put({ currency: 'EURO' }), status: 400, code: 'unknown_currency', field: 'currency' },
    { what: 'a credit below zero', call: credit({ amount: '-1' }), status: 400, code: 'invalid_amount', field: 'amount' },
    { what: 'a credit of NaN', call: credit({ amount: 'NaN' }), status: 400, code: 'amount_too_fine', field: 'amount' },
    { what: 'a payment below zero', call: pay({ amount: '-1', reference: 'r' }), status: 400, code: 'invalid_amount', field: 'amount' },
    {
      what: 'a coupon of both kinds',
      call: coupon({ percent: 10, amount: '1', currency: 'EUR' }),
      status: 400,
      code: 'invalid_amount',
      field: 'percent',
    },
    { what: 'a coupon of no kind', call: coupon({}), status: 400, code: 'invalid_amount', field: 'percent' },
    { what: 'a coupon of more than all', call: coupon({ percent: '100.1' }), status: 400, code: 'invalid_percent', field: 'percent' },
    {
      what: 'a tax of more than all',
      call: () => ['PUT', '/v1/tax-rates/bad', { name: 'x', percent: '101' }],
      status: 400,
      code: 'invalid_percent',
      field: 'percent',
    },
    {
      what: 'a credit that ends before it starts',
      call: credit({ amount: '1', effectiveAt: '2026-02-01T00:00:00Z', expiresAt: START }),
      status: 400,
      code: 'invalid_amount',
      field: 'expiresAt',
    },
    {
      what: 'a note above what is left',
      call: ({ newest }) => ['POST', `/v1/invoices/${newest}/credit-notes`, { lines: [{ line: '1', amount: '30.01' }], reason: 'x' }],
      status: 409,
      code: 'exceeds_creditable',
    },
    {
      what: 'a note below zero',
      call: ({ newest }) => ['POST', `/v1/invoices/${newest}/credit-notes`, { lines: [{ line: '1', amount: '-1' }], reason: 'x' }],
      status: 409,
      code: 'exceeds_creditable',
    },
    {
      what: 'a note of a line named twice',
      call: ({ newest }) => [
        'POST',
        `/v1/invoices/${newest}/credit-notes`,
        {
          lines: [
            { line: '1', amount: '1' },
            { line: '1', amount: '1' },
          ],
          reason: 'x',
        },
      ],
      status: 404,
      code: 'unknown_line',
    },
    {
      what: 'a void of a paid document',
      call: ({ paid }) => ['POST', `/v1/invoices/${paid}/void`, { reason: 'x' }],
      status: 409,
      code: 'invoice_not_open',
    },
    {
      what: 'a void of one that is not the newest',
      call: ({ oldest }) => ['POST', `/v1/invoices/${oldest}/void`, { reason: 'x' }],
      status: 409,
      code: 'not_newest_invoice',
    },
    {
      what: 'a payment in another currency',
      call: pay({ amount: '1', currency: 'USD', reference: 'r' }),
      status: 409,
      code: 'payment_in_other_currency',
      field: 'currency',
    },
    {
      what: 'a payment of a known reference',
      call: pay({ amount: '1', reference: 'known' }),
      status: 409,
      code: 'payment_reference_taken',
    },
    {
      what: 'a run ahead of now',
      call: () => ['POST', '/v1/billing-runs', { asOf: '2027-01-01T00:00:00Z' }],
      status: 400,
      code: 'invalid_time',
      field: 'asOf',
    },
    {
      what: 'a change in a billed period',
      call: ({ subscription }) => ['POST', `/v1/subscriptions/${subscription}/change`, { plan: 'pro', at: '2026-01-15T00:00:00Z' }],
      status: 400,
      code: 'change_in_past',
    },
    {
      what: 'a change to another currency',
      call: ({ subscription }) => ['POST', `/v1/subscriptions/${subscription}/change`, { plan: 'dollars', at: 'now' }],
      status: 409,
      code: 'currency_mismatch',
    },
    {
      what: 'a change of the timezone',
      call: () => ['POST', '/v1/subscriptions', { id: 'sub', customer: 'acme', plan: 'pro', timezone: 'UTC' }],
      status: 409,
      code: 'subscription_id_taken',
    },
    {
      what: 'a timezone with a change of plan',
      call: ({ subscription }) => ['POST', `/v1/subscriptions/${subscription}/change`, { plan: 'pro', at: 'now', timezone: 'UTC' }],
      status: 400,
      code: 'invalid_request',
      field: 'timezone',
    },
    {
      what: 'a line on a final document',
      call: ({ newest }) => ['POST', `/v1/invoices/${newest}/lines`, { lines: [line] }],
      status: 409,
      code: 'invoice_final',
    },
    {
      what: 'a line below zero on a draft',
      call: ({ draft }) => ['POST', `/v1/invoices/${draft}/lines`, { lines: [{ ...line, unitAmount: '-1' }] }],
      status: 400,
      code: 'invalid_amount',
      field: 'lines[0].unitAmount',
    },
    {
      what: 'a preview of 60 periods and more',
      call: ({ subscription }) => ['GET', `/v1/subscriptions/${subscription}/invoice-preview?at=2031-04-01T00:00:00Z`],
      status: 400,
      code: 'too_many_periods',
    },
  ]

  test.each(rows)('$what is refused as $code', async ({ call, status, code, field }) => {
    const before = await everything()
    const [method, path, body] = call(world)
    const answer = await server.call(method, path, body)
    expect(answer).toMatchObject({
      status,
      body: { code, detail: expect.any(String), ...(field !== undefined && { errors: [{ field }] }) },
    })
    expect(await everything(), 'nothing is half done').toEqual(before)
  })

  test('60 periods of the past are billed in a run, and the rest in the next', async () => {
    await server.ok('PUT', '/v1/customers/old', {})
    await server.ok('POST', '/v1/subscriptions', { customer: 'old', plan: 'pro', startAt: '2020-12-01T00:00:00Z' })
    expect(await server.bill({ customers: ['old'] })).toMatchObject({ finalised: 60 })
    expect(await server.bill({ customers: ['old'] })).toMatchObject({ finalised: 4 })
    expect(await server.bill({ customers: ['old'] })).toMatchObject({ finalised: 0 })
  })
})
