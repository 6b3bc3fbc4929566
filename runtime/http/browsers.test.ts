import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import type { Principal } from '../../domain/principal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { systemClock } from '../process/system-clock.ts'
import { createHttpApp } from './http-app.ts'

const ORIGIN = 'https://app.example.com'
const tenant = 'default' as TenantKey
const token = (origins: readonly string[] | null): Principal => ({
  ...{ keyId: 'customer-token', tenant, scopes: [] },
  token: { customer: 'acme' as CustomerKey, scopes: ['read'], origins },
})
const PRINCIPALS: Readonly<Record<string, Principal>> = {
  secret: { keyId: 's', tenant, scopes: ['admin'] },
  publishable: { keyId: 'p', tenant, scopes: ['public'], kind: 'publishable' },
  token: token(null),
  tokenOfOtherSite: token(['https://other.example']),
  tokenOfSite: token([ORIGIN]),
}

let app: HttpApp
beforeAll(async () => {
  app = createHttpApp({
    findPrincipal: (secret) => PRINCIPALS[secret] ?? null,
    isListedOrigin: async (_tenant, origin) => origin === ORIGIN,
    idempotency: {} as never,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 1_000,
  })
  app.get('/v1/thing', { config: { scope: 'read' } }, async () => ({ thing: true }))
  app.get('/v1/prices', { config: { scope: 'public' } }, async () => ({ prices: true }))
  app.get('/v1/me/thing', { config: { tokenScope: 'read' } }, async () => ({ mine: true }))
  await app.ready()
})
afterAll(() => app.close())

async function ask(url: string, key: string, headers: Record<string, string> = {}) {
  const answer = await app.inject({ url, headers: { authorization: `Bearer ${key}`, host: 'tollgate.example', ...headers } })
  return { outcome: `${answer.statusCode} ${answer.json().code ?? 'ok'}`, allowed: answer.headers['access-control-allow-origin'] }
}

test.each([
  { key: 'secret', url: '/v1/thing', outcome: '403 secret_key_in_browser', allowed: undefined },
  { key: 'secret', url: '/v1/prices', outcome: '403 secret_key_in_browser', allowed: ORIGIN },
  { key: 'publishable', url: '/v1/prices', outcome: '200 ok', allowed: ORIGIN },
  { key: 'publishable', url: '/v1/thing', outcome: '403 missing_scope', allowed: undefined },
  { key: 'token', url: '/v1/me/thing', outcome: '200 ok', allowed: ORIGIN },
  { key: 'tokenOfSite', url: '/v1/me/thing', outcome: '200 ok', allowed: ORIGIN },
  { key: 'tokenOfOtherSite', url: '/v1/me/thing', outcome: '403 origin_not_allowed', allowed: ORIGIN },
  { key: 'wrong', url: '/v1/me/thing', outcome: '401 invalid_key', allowed: ORIGIN },
])('from a page of the tenant: $key at $url is $outcome', async ({ key, url, ...expected }) => {
  expect(await ask(url, key, { origin: ORIGIN })).toEqual(expected)
})

test.each([
  'https://evil.example',
  'null',
  'https://app.example.com.evil.example',
  'http://app.example.com',
  'https://app.example.com:444',
])('a page of %s is refused', async (origin) => {
  for (const [key, url] of [
    ['token', '/v1/me/thing'],
    ['publishable', '/v1/prices'],
  ] as const) {
    expect((await ask(url, key, { origin })).outcome).toBe('403 origin_not_allowed')
  }
})

test('what is no browser, and a page of the server itself, are let in', async () => {
  for (const headers of [{}, { origin: 'https://tollgate.example' }]) {
    expect((await ask('/v1/thing', 'secret', headers)).outcome).toBe('200 ok')
    expect((await ask('/v1/me/thing', 'token', headers)).outcome).toBe('200 ok')
  }
})

test('browsers are told before what they may send, without cookies, on routes for them alone', async () => {
  const ahead = (url: string) =>
    app.inject({ method: 'OPTIONS', url, headers: { origin: ORIGIN, 'access-control-request-method': 'GET', host: 'tollgate.example' } })
  for (const url of ['/v1/me/thing', '/v1/prices']) {
    const { statusCode, headers } = await ahead(url)
    expect(statusCode).toBe(204)
    expect(headers).toMatchObject({ 'access-control-allow-origin': ORIGIN, vary: 'Origin' })
    expect(headers['access-control-allow-headers']).toContain('authorization')
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  }
  const { statusCode, headers } = await ahead('/v1/thing')
  expect([statusCode, headers['access-control-allow-origin']]).toEqual([405, undefined])
})
