import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import type { TaxRateRecord, TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Scope } from '../../domain/principal.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { openTaxRates } from './open-tax-rates.ts'

test.each([
  { body: { name: 'VAT', percent: '20' }, status: 201, answer: { key: 'vat', name: 'VAT', percent: '20', inclusive: false } },
  { body: { name: 'VAT', percent: 8.875, inclusive: true }, status: 201, answer: { percent: '8.875', inclusive: true } },
  { body: { name: 'VAT', percent: '0.000000001' }, status: 201, answer: { percent: '0.000000001' } },
  { body: { name: 'VAT', percent: '100' }, status: 201, answer: { percent: '100' } },
  { body: { name: 'VAT', percent: '100.000000001' }, status: 400, answer: { code: 'invalid_percent', errors: [{ field: 'percent' }] } },
  { body: { name: 'VAT', percent: '-1' }, status: 400, answer: { code: 'invalid_percent' } },
  { body: { name: 'VAT', percent: '1e1' }, status: 400, answer: { code: 'invalid_percent' } },
  { body: { name: 'V\0T', percent: '1' }, status: 400, answer: { code: 'invalid_text', errors: [{ field: 'name' }] } },
])('a tax rate of $body.percent % is answered $status', async ({ body, status, answer }) => {
  const { send } = await openApp()
  const put = await send('PUT', '/v1/tax-rates/vat', body)
  expect([put.status, put.body]).toMatchObject([status, answer])
  const get = await send('GET', '/v1/tax-rates/vat')
  expect([get.status, get.body]).toMatchObject(status === 201 ? [200, answer] : [404, { code: 'unknown_tax_rate' }])
})

test('a key that may only read creates none', async () => {
  const { send } = await openApp(['read'])
  expect(await send('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '20' })).toMatchObject({ status: 403 })
  expect(await send('GET', '/v1/tax-rates')).toMatchObject({ status: 200, body: { data: [], nextCursor: null } })
})

async function openApp(scopes: readonly Scope[] = ['admin']) {
  const app = createHttpApp({
    findPrincipal: () => ({ keyId: 'k', tenant: 'default' as TenantKey, scopes }),
    idempotency: { claim: async () => null, save: async () => {}, release: async () => {} },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 10_000,
  })
  const { routes } = openTaxRates(createMemoryTaxRates())
  if (routes !== undefined) app.register(routes)
  await app.ready()
  return {
    async send(method: 'PUT' | 'GET', url: string, payload?: object) {
      const response = await app.inject({
        method,
        url,
        headers: { authorization: 'Bearer k' },
        ...(payload === undefined ? {} : { payload }),
      })
      return { status: response.statusCode, body: response.json() }
    },
  }
}

/** The store's contract covers storage; this covers what HTTP makes of it. */
function createMemoryTaxRates(): TaxRateStore {
  const rates = new Map<string, TaxRateRecord>()
  return {
    async put(_tenant, rate) {
      const value = { ...rate, createdMs: 0 as InstantMs, updatedMs: 0 as InstantMs }
      rates.set(value.key, value)
      return { value, result: 'created' }
    },
    get: async (_tenant, key) => rates.get(key) ?? null,
    list: async () => ({ data: [...rates.values()], nextCursor: null }),
  }
}
