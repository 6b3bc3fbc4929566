import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumForTest } from '../support/chromium.ts'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

const DAY_MS = 86_400_000

const chromium = await chromiumForTest()
let tollgate: TollgateProcess
/** The app's own site, on another origin. */
let site: Server
let origin: string

beforeAll(async () => {
  tollgate = await startTollgate()
  site = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>app</title>'))
  await new Promise<void>((resolve) => void site.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`
  await tollgate.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'count' })
  await tollgate.ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
  await tollgate.ok('PUT', '/v1/products/api', { name: 'API' })
  const entitlements = [{ feature: 'calls', limit: '100', limitType: 'hard', reset: 'month' }]
  await tollgate.ok('PUT', '/v1/plans/pro', { product: 'api', name: 'Pro', currency: 'USD', interval: 'month', entitlements })
  for (const [customer, calls] of [
    ['acme', 3],
    ['globex', 5],
  ] as const) {
    await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
    await tollgate.ok('POST', '/v1/subscriptions', { customer, plan: 'pro' })
    const events = Array.from({ length: calls }, (_, at) => ({ id: `${customer}-${at}`, type: 'call', customer }))
    await tollgate.ok('POST', '/v1/events?waitMs=10000', events)
  }
})
afterAll(async () => {
  await chromium.discard()
  site.close()
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

const tokenOf = async (customer: string, more: object = {}) =>
  (await tollgate.ok<{ token: string }>('POST', '/v1/customer-tokens', { customer, scopes: ['read', 'decide'], ...more })).token
const withToken = (token: string, path: string) => tollgate.call('GET', path, undefined, { authorization: `Bearer ${token}` })
const codeOf = ({ status, body }: { status: number; body: unknown }) => `${status} ${(body as { code?: string }).code ?? 'ok'}`

describe.runIf(chromium.browser !== null)('a page of another site', () => {
  /** What a page of the app's site gets. */
  async function fetched(path: string, token: string, init: { method?: string; body?: string } = {}) {
    const page = await (chromium.browser as NonNullable<typeof chromium.browser>).newPage()
    try {
      await page.goto(origin)
      return await page.evaluate(
        async ({ url, authorization, init }) => {
          try {
            const answer = await fetch(url, { ...init, headers: { authorization, 'content-type': 'application/json' } })
            return { status: answer.status, body: await answer.json() }
          } catch (error) {
            return { status: 0, body: { code: String(error) } }
          }
        },
        { url: `${tollgate.url}${path}`, authorization: `Bearer ${token}`, init },
      )
    } finally {
      await page.close()
    }
  }

  test('is refused until the tenant lists it, and then reads the balance of the token, and nothing else', async () => {
    await tollgate.ok('PUT', '/v1/settings', {})
    const token = await tokenOf('acme')
    expect(codeOf(await fetched('/v1/me/balances/calls', token))).toBe('403 origin_not_allowed')
    await tollgate.ok('PUT', '/v1/settings', { origins: [origin] })
    expect(await fetched('/v1/me/balances/calls', token)).toMatchObject({ status: 200, body: { feature: 'calls', used: '3' } })
    const asked = { method: 'POST', body: JSON.stringify({ feature: 'calls', quantity: '98' }) }
    expect(await fetched('/v1/me/decisions', token, asked)).toMatchObject({ status: 200, body: { allowed: false } })
    // Other routes are not for pages at all: the browser does not even send the request.
    for (const path of ['/v1/customers/globex/balances/calls', '/v1/customers', '/v1/keys', '/v1/meters/calls/usage']) {
      expect((await fetched(path, token)).status).toBe(0)
    }
    expect((await fetched('/v1/customers', tollgate.adminKey)).status).toBe(0)
    expect(codeOf(await fetched('/v1/me/balances', tollgate.adminKey))).toBe('403 customer_token_needed')
  })
})

test('a token answers about its customer what a key is answered about it', async () => {
  const [acme, globex] = [await tokenOf('acme'), await tokenOf('globex')]
  for (const path of ['balances', 'balances/calls', 'invoices', 'usage?meter=calls&window=month', 'upcoming-invoice', 'plans']) {
    const answers = [await withToken(acme, `/v1/me/${path}`), await withToken(globex, `/v1/me/${path}`)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
  }
  expect((await withToken(acme, '/v1/me/balances')).body).toEqual((await tollgate.call('GET', '/v1/customers/acme/balances')).body)
  expect((await withToken(globex, '/v1/me/usage?meter=calls')).body).toMatchObject({ data: [{ value: '5' }] })
  const other = await withToken(acme, '/v1/me/usage?meter=calls&groupBy=customer')
  expect(other.body).toMatchObject({ data: [{ customer: 'acme', value: '3' }] })
  expect(codeOf(await withToken(acme, '/v1/me/usage?meter=calls&customer=globex'))).toMatch(/^400 /)
  expect(codeOf(await withToken(acme, '/v1/me/invoices?status=draft'))).toMatch(/^400 /)
})

test.each([
  { wrong: 'more than a day', body: { ttlMs: DAY_MS + 1 }, outcome: '400 invalid_request', field: 'ttlMs' },
  { wrong: 'an unknown scope', body: { scopes: ['admin'] }, outcome: '400 invalid_request', field: 'scopes[0]' },
  { wrong: 'an unknown customer', body: { customer: 'nobody' }, outcome: '400 unknown_customer', field: 'customer' },
  { wrong: 'an origin that is none', body: { origins: ['app.example.com'] }, outcome: '400 invalid_origin', field: 'origins[0]' },
  { wrong: 'an origin with a path', body: { origins: ['https://a.example/x'] }, outcome: '400 invalid_origin', field: 'origins[0]' },
])('no token for $wrong', async ({ body, outcome, field }) => {
  const answer = await tollgate.call('POST', '/v1/customer-tokens', { customer: 'acme', scopes: ['read'], ...body })
  expect(codeOf(answer)).toBe(outcome)
  expect(answer.body).toMatchObject({ errors: [{ field }] })
})

test.each([
  { wrong: 'an origin that is none', path: '/v1/settings', method: 'PUT', body: { origins: ['*'] }, outcome: '400 invalid_origin' },
  {
    ...{ wrong: 'an end of tokens ahead of now', path: '/v1/customers/acme/tokens-not-before', method: 'PUT' },
    ...{ body: { notBefore: '2999-01-01T00:00:00Z' }, outcome: '400 not_before_ahead' },
  },
  {
    ...{ wrong: 'a publishable key that may more', path: '/v1/keys', method: 'POST' },
    ...{ body: { name: 'p', kind: 'publishable', scopes: ['public', 'read'] }, outcome: '400 publishable_scopes' },
  },
  {
    ...{ wrong: 'a key for nothing', path: '/v1/keys', method: 'POST' },
    ...{ body: { name: 'p', scopes: ['read'], only: { customers: [] } }, outcome: '400 invalid_request' },
  },
])('$wrong is refused', async ({ method, path, body, outcome }) => {
  expect(codeOf(await tollgate.call(method, path, body))).toBe(outcome)
})

test('a key hands out no scope that it has not', async () => {
  const { key } = await tollgate.ok<{ key: string }>('POST', '/v1/keys', { name: 'web', scopes: ['read'] })
  const wanted = { customer: 'acme', scopes: ['read', 'decide', 'portal'] }
  const answer = await tollgate.call('POST', '/v1/customer-tokens', wanted, { authorization: `Bearer ${key}` })
  expect(codeOf(answer)).toBe('400 scope_above_own')
  expect(answer.body).toMatchObject({ errors: [{ field: 'scopes[1]' }, { field: 'scopes[2]' }] })
})

test('all tokens of a customer end at once, those of others and later ones go on', async () => {
  const [acme, globex] = [await tokenOf('acme'), await tokenOf('globex')]
  expect(codeOf(await withToken(acme, '/v1/me/balances'))).toBe('200 ok')
  await tollgate.ok('PUT', '/v1/customers/acme/tokens-not-before', {})
  expect(codeOf(await withToken(acme, '/v1/me/balances'))).toBe('401 token_ended')
  expect(codeOf(await withToken(globex, '/v1/me/balances'))).toBe('200 ok')
  await waitFor(async () => codeOf(await withToken(await tokenOf('acme'), '/v1/me/balances')) === '200 ok')
})

test('a key that is narrowed to a type, a feature and a customer does that and nothing more', async () => {
  const only = { eventTypes: ['call'], features: ['calls'], customers: ['acme'] }
  const { key } = await tollgate.ok<{ key: string }>('POST', '/v1/keys', { name: 'gateway', scopes: ['ingest', 'decide', 'read'], only })
  const as = { authorization: `Bearer ${key}` }
  const send = (events: unknown) => tollgate.call('POST', '/v1/events', events, as)
  const event = { id: 'narrow-1', type: 'call', customer: 'acme' }
  const sent = await send([event, { ...event, id: 'narrow-2', type: 'other' }, { ...event, id: 'narrow-3', customer: 'globex' }])
  expect(sent.body).toMatchObject({
    accepted: 1,
    rejected: [
      { index: 1, code: 'narrowed_key' },
      { index: 2, code: 'narrowed_key' },
    ],
  })
  const decide = (customer: string, feature: string) => tollgate.call('POST', '/v1/decisions', { customer, feature }, as)
  expect(codeOf(await decide('acme', 'calls'))).toMatch(/^200 /)
  expect(codeOf(await decide('globex', 'calls'))).toBe('403 narrowed_key')
  expect(codeOf(await decide('acme', 'other'))).toBe('403 narrowed_key')
  expect(codeOf(await tollgate.call('GET', '/v1/customers', undefined, as))).toBe('403 narrowed_key')
  expect(codeOf(await tollgate.call('GET', '/v1/customers/acme/balances/calls', undefined, as))).toBe('200 ok')
})

test('the export of a customer has its rows and every event, ends with their number, and has nothing of another', async () => {
  const { text } = await tollgate.call('GET', '/v1/customers/acme/export')
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { of: string; row: Record<string, unknown>; rows?: number })
  expect(lines.at(-1)).toEqual({ of: 'end', rows: lines.length - 1 })
  const counts = Map.groupBy(lines, ({ of }) => of)
  expect(counts.get('customers')?.[0]?.row).toMatchObject({ key: 'acme' })
  expect(counts.get('subscription_phases')).toHaveLength(1)
  const { data } = await tollgate.ok<{ data: unknown[] }>('GET', '/v1/events?customer=acme&limit=1000')
  expect(counts.get('events')).toHaveLength(data.length)
  expect(text).not.toContain('globex')
  expect(codeOf(await tollgate.call('GET', '/v1/customers/nobody/export'))).toBe('404 unknown_customer')
})
