import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { rateRoutes } from './rate-routes.ts'

let app: HttpApp
beforeAll(async () => {
  app = createHttpApp({
    findPrincipal: () => ({ keyId: 'k1', tenant: 'default' as TenantKey, scopes: ['read'] }),
    idempotency: {
      claim: async () => null,
      save: async () => {},
      release: async () => {},
    },
    clock: { ...systemClock, now: () => 0 as InstantMs },
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 100_000,
  })
  app.register(rateRoutes())
  await app.ready()
})
afterAll(() => app.close())

const post = (body: unknown) =>
  app.inject({
    method: 'POST',
    url: '/v1/rate',
    headers: { authorization: 'Bearer reader', 'content-type': 'application/json' },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  })
const flat = { model: 'flat', unitAmount: '2.50', per: '1000000' }

describe('POST /v1/rate', () => {
  test.each<{ title: string; body: unknown; answer: unknown }>([
    {
      title: 'rounds to two digits without a currency',
      body: { price: flat, quantity: '426368' },
      answer: { amount: '1.07', exact: '1.06592', lines: [{ quantity: '426368', unitAmount: '2.5', exact: '1.06592' }] },
    },
    {
      title: 'rounds to the minor unit of the currency',
      body: { price: flat, quantity: 426_368, currency: 'JPY' },
      answer: { amount: '1', exact: '1.06592', lines: [{ quantity: '426368', unitAmount: '2.5', exact: '1.06592' }] },
    },
    {
      title: 'takes JSON numbers, small ones in exponent notation too',
      body: '{"price":{"model":"flat","unitAmount":2.5e-7},"quantity":1e6,"currency":"KWD"}',
      answer: { amount: '0.250', exact: '0.25', lines: [{ quantity: '1000000', unitAmount: '0.00000025', exact: '0.25' }] },
    },
    {
      title: 'numbers tiers from 1',
      body: {
        price: {
          model: 'tiered',
          tiers: [
            { upTo: 1, flatAmount: 3 },
            { upTo: null, unitAmount: 0.1 },
          ],
        },
        quantity: 3,
      },
      answer: {
        amount: '3.20',
        exact: '3.2',
        lines: [
          { tier: 1, quantity: '1', flatAmount: '3', exact: '3' },
          { tier: 2, quantity: '2', unitAmount: '0.1', exact: '0.2' },
        ],
      },
    },
    { title: 'charges nothing for nothing', body: { price: flat, quantity: 0 }, answer: { amount: '0.00', exact: '0', lines: [] } },
  ])('$title', async ({ body, answer }) => {
    const response = await post(body)
    expect(response.json()).toEqual(answer)
    expect(response.statusCode).toBe(200)
  })

  test.each<{ title: string; body: unknown; code: string; field?: string }>([
    { title: 'a negative quantity', body: { price: flat, quantity: -1 }, code: 'invalid_quantity', field: 'quantity' },
    { title: 'a quantity too fine', body: { price: flat, quantity: '0.0000000001' }, code: 'invalid_quantity', field: 'quantity' },
    {
      title: 'a number past exactness',
      body: `{"price":${JSON.stringify(flat)},"quantity":9007199254740993}`,
      code: 'invalid_quantity',
      field: 'quantity',
    },
    { title: 'no quantity', body: { price: flat }, code: 'invalid_request', field: 'quantity' },
    { title: 'no price', body: { quantity: 1 }, code: 'invalid_request', field: 'price' },
    { title: 'an unknown model', body: { price: { model: 'cubic' }, quantity: 1 }, code: 'invalid_request', field: 'price.model' },
    { title: 'a misspelt field', body: { price: { ...flat, pre: 1 }, quantity: 1 }, code: 'invalid_request', field: 'price.pre' },
    {
      title: 'a negative amount',
      body: { price: { ...flat, unitAmount: '-1' }, quantity: 1 },
      code: 'invalid_price',
      field: 'price.unitAmount',
    },
    {
      title: 'tiers out of order',
      body: { price: { model: 'volume', tiers: [{ upTo: 9 }, { upTo: 5 }, { upTo: null }] }, quantity: 1 },
      code: 'invalid_price',
      field: 'price.tiers[1].upTo',
    },
    { title: 'no tiers', body: { price: { model: 'volume', tiers: [] }, quantity: 1 }, code: 'invalid_price', field: 'price.tiers' },
    { title: 'an unknown currency', body: { price: flat, quantity: 1, currency: 'usd' }, code: 'unknown_currency' },
  ])('refuses $title', async ({ body, code, field }) => {
    const response = await post(body)
    expect(response.statusCode).toBe(400)
    expect(response.json()).toMatchObject({ code, ...(field !== undefined && { errors: [{ field }] }) })
  })
})
