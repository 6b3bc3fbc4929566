import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ConsoleSessionStore, FoundConsoleSession } from '../../../adapters/database/console-sessions/console-session-store.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { Principal } from '../../../domain/principal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { createVirtualClock, type VirtualClock } from '../../../test/support/virtual-clock.ts'
import { createHttpApp } from '../http-app.ts'
import { consoleDoor } from './console-door.ts'
import { createConsoleSessions } from './console-sessions.ts'

const tenant = 'default' as TenantKey
const KEYS: Readonly<Record<string, Principal>> = {
  good: { keyId: 'k-1', tenant, scopes: ['read'] },
  publishable: { keyId: 'k-2', tenant, scopes: ['public'], kind: 'publishable' },
  narrowed: { keyId: 'k-3', tenant, scopes: ['read'], only: { customers: ['acme'] } },
}
const HERE = { 'sec-fetch-site': 'same-origin', host: 'tollgate.internal' }

let app: HttpApp
let clock: VirtualClock
let changed: () => void
let rows: Map<string, FoundConsoleSession>

beforeEach(async () => {
  clock = createVirtualClock(1_000_000)
  rows = new Map()
  const store: ConsoleSessionStore = {
    async create({ tokenHash, ...made }) {
      const session = { ...made, id: `s-${rows.size}`, keyName: made.keyId, createdAtMs: clock.now() }
      rows.set(tokenHash, { session, principal: { keyId: made.keyId, tenant, scopes: ['read'] } })
      return session
    },
    find: async (tokenHash) => rows.get(tokenHash) ?? null,
    list: async () => [...rows.values()].map(({ session }) => session),
    async end(_tenant, id) {
      for (const [hash, { session }] of rows) if (session.id === id) rows.delete(hash)
      return true
    },
  }
  const feed = {
    subscribe(listener: { changed: () => void }) {
      changed = listener.changed
    },
  }
  const sessions = createConsoleSessions({ store, feed: feed as never, clock })
  const findPrincipal = (secret: string) => KEYS[secret] ?? null
  app = createHttpApp({
    ...{ findPrincipal, findSignedIn: async (request) => (await sessions.of(request)).principal, idempotency: {} as never, clock },
    ...{ log: pino({ level: 'silent' }), registry: new Registry(), bodyBytesMax: 1_000, trustedProxies: ['127.0.0.1'] },
  })
  app.register(consoleDoor({ sessions, store, findPrincipal, version: '0.0.0' }))
  app.get('/v1/thing', { config: { scope: 'read' } }, async () => ({ read: true }))
  app.post('/v1/thing', { config: { scope: 'read' } }, async () => ({ written: true }))
})
afterEach(() => app.close())

async function signIn(key = 'good', headers: Record<string, string> = {}) {
  return app.inject({ method: 'POST', url: '/console/api/session', headers: { ...HERE, ...headers }, payload: { key } })
}
async function cookieOf(): Promise<string> {
  return String((await signIn()).headers['set-cookie']).split(';')[0] ?? ''
}
async function codeOf(answer: { statusCode: number; body: string }): Promise<string> {
  return `${answer.statusCode} ${answer.body === '' ? '' : (JSON.parse(answer.body).code ?? 'ok')}`.trim()
}

test('the cookie is out of reach of scripts, of other sites and of the API; its text is kept nowhere', async () => {
  const plain = String((await signIn()).headers['set-cookie'])
  expect(plain).toMatch(/^tollgate_session=[\w-]{43}; Path=\/console; Max-Age=28800; HttpOnly; SameSite=Strict$/)
  const secure = String((await signIn('good', { 'x-forwarded-proto': 'https' })).headers['set-cookie'])
  expect(secure).toMatch(/^__Secure-tollgate_session=.*; HttpOnly; SameSite=Strict; Secure$/)
  expect([...rows.keys()].join()).not.toContain(plain.slice(17, 40))
})

test('the cookie opens the console’s door and no other', async () => {
  const cookie = await cookieOf()
  expect(await codeOf(await app.inject({ url: '/console/api/v1/thing', headers: { cookie } }))).toBe('200 ok')
  expect(await codeOf(await app.inject({ url: '/v1/thing', headers: { cookie } }))).toBe('401 missing_key')
  expect(await codeOf(await app.inject({ url: '/console/api/v1/thing', headers: { authorization: 'Bearer good' } }))).toBe(
    '401 not_signed_in',
  )
})

test.each([
  { kind: 'from the page', headers: { 'sec-fetch-site': 'same-origin' }, code: '200 ok' },
  { kind: 'from another port of the host', headers: { 'sec-fetch-site': 'same-site' }, code: '403 cross_site_request' },
  { kind: 'from another site', headers: { 'sec-fetch-site': 'cross-site' }, code: '403 cross_site_request' },
  { kind: 'by a browser on plain HTTP', headers: { origin: 'http://tollgate.internal' }, code: '200 ok' },
  { kind: 'by such a browser from another port', headers: { origin: 'http://tollgate.internal:81' }, code: '403 cross_site_request' },
  { kind: 'by such a browser from nowhere', headers: { origin: 'null' }, code: '403 cross_site_request' },
  { kind: 'without either header', headers: {}, code: '403 cross_site_request' },
])('a write $kind is answered $code', async ({ headers, code }) => {
  const cookie = await cookieOf()
  const sent = { cookie, host: 'tollgate.internal', ...headers } as Record<string, string>
  expect(await codeOf(await app.inject({ method: 'POST', url: '/console/api/v1/thing', headers: sent, payload: {} }))).toBe(code)
})

test.each([
  { key: 'wrong', code: '401 invalid_key' },
  { key: 'publishable', code: '403 key_not_for_console' },
  { key: 'narrowed', code: '403 key_not_for_console' },
])('a $key key begins no session', async ({ key, code }) => {
  expect(await codeOf(await signIn(key))).toBe(code)
  expect(rows.size).toBe(0)
})

test('a session that ends is refused from the announcement on, and a key’s own end is noticed within ten seconds', async () => {
  const cookie = await cookieOf()
  const read = async () => codeOf(await app.inject({ url: '/console/api/v1/thing', headers: { cookie } }))
  expect(await read()).toBe('200 ok')
  rows.clear()
  expect(await read()).toBe('200 ok')
  clock.advance(10_000)
  expect(await read()).toBe('401 not_signed_in')
  const again = await cookieOf()
  rows.clear()
  changed()
  expect(await codeOf(await app.inject({ url: '/console/api/v1/thing', headers: { cookie: again } }))).toBe('401 not_signed_in')
})

test('nobody signed in is an answer; signing out takes the cookie away', async () => {
  expect((await app.inject({ url: '/console/api/session' })).statusCode).toBe(204)
  const cookie = await cookieOf()
  const out = await app.inject({ method: 'DELETE', url: '/console/api/session', headers: { ...HERE, cookie } })
  expect([out.statusCode, String(out.headers['set-cookie'])]).toEqual([204, expect.stringContaining('Max-Age=0')])
  expect(rows.size).toBe(0)
})
