import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCOPES, type Scope } from '../../domain/principal.ts'
import { type Answer, removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'
import { ROUTE_SCOPES, type RouteRow } from './route-scopes.ts'
import { callerOf, directoryOfTwoTenants, fillTenant, readTenant, type TenantWorld } from './tenant-world.ts'

const MARKER = 'quiet-heron-83'

let tollgate: TollgateProcess
let world: TenantWorld
let otherKey: string
let asOther: TenantWorld
const scopedKeys = {} as Record<Scope, string>
/** Keys and tokens that may do nothing on any route but those made for them. */
const special = {} as Record<'publishable' | 'narrowedToNobody' | 'tokenOfOther', string>

beforeAll(async () => {
  const { dataDir, otherAdminKey } = await directoryOfTwoTenants()
  tollgate = await startTollgate({ dataDir, env: { TOLLGATE_WRONG_KEYS_MAX: '1000000' } })
  otherKey = otherAdminKey
  const call = callerOf(tollgate, tollgate.adminKey)
  world = await fillTenant(call, tollgate.adminKey, MARKER, '1234.5')
  asOther = { ...world, adminKey: otherKey }
  for (const scope of SCOPES) {
    scopedKeys[scope] = (await call<{ key: string }>('POST', '/v1/keys', { name: scope, scopes: [scope] })).key
  }
  const make = (more: object) => call<{ key: string }>('POST', '/v1/keys', { name: 'special', ...more }).then(({ key }) => key)
  special.publishable = await make({ kind: 'publishable', scopes: ['public'] })
  special.narrowedToNobody = await make({ scopes: ['admin'], only: { customers: ['nobody'], features: ['none'], eventTypes: ['none'] } })
  await call('PUT', '/v1/customers/initech', { name: 'Initech' })
  const made = await call<{ token: string }>('POST', '/v1/customer-tokens', { customer: 'initech', scopes: ['read', 'decide', 'portal'] })
  special.tokenOfOther = made.token
  await waitFor(async () => (await tollgate.call('GET', '/v1/events/request-1?customer=acme')).status === 200)
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

const orScopesOf = ({ orScope }: RouteRow): readonly Scope[] => [orScope ?? []].flat()

function send({ route, request }: RouteRow, authorization: string | undefined, of: TenantWorld = world): Promise<Answer> {
  const { path, body } = request(of)
  const method = route.split(' ')[0] ?? 'GET'
  return tollgate.call(method, path, body, { authorization: authorization ?? '' })
}

/** Everything that is no key of this server, with the code that refuses it. */
const NO_KEYS: readonly { readonly kind: string; readonly authorization: () => string | undefined; readonly code: string }[] = [
  { kind: 'none', authorization: () => undefined, code: 'missing_key' },
  { kind: 'another scheme', authorization: () => `Basic ${btoa(`admin:${tollgate.adminKey}`)}`, code: 'missing_key' },
  { kind: 'a scheme alone', authorization: () => 'Bearer', code: 'missing_key' },
  { kind: 'a key alone', authorization: () => tollgate.adminKey, code: 'missing_key' },
  { kind: 'two keys', authorization: () => `Bearer ${tollgate.adminKey} ${tollgate.adminKey}`, code: 'invalid_key' },
  { kind: 'wrong', authorization: () => `Bearer tg_${'A'.repeat(43)}`, code: 'invalid_key' },
  { kind: 'made up', authorization: () => `Bearer tg_sk_${'A'.repeat(49)}`, code: 'invalid_key' },
  { kind: 'cut short', authorization: () => `Bearer ${tollgate.adminKey.slice(0, -1)}`, code: 'invalid_key' },
  { kind: 'with more behind it', authorization: () => `Bearer ${tollgate.adminKey}x`, code: 'invalid_key' },
  { kind: 'in capitals', authorization: () => `Bearer ${tollgate.adminKey.toUpperCase()}`, code: 'invalid_key' },
  { kind: 'very long', authorization: () => `Bearer ${'tg_'.repeat(2_000)}`, code: 'invalid_key' },
  { kind: 'SQL', authorization: () => "Bearer '/**/OR/**/'1'='1", code: 'invalid_key' },
]

test('the table names every route of the OpenAPI document and no other, with the scope that the document says', async () => {
  const { paths } = await tollgate.ok<{ paths: Record<string, Record<string, { description?: string }>> }>('GET', '/openapi.json')
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { description = '' }]) => {
      const [sentence = ''] = /Needs scope .*/.exec(description) ?? []
      const [scope = null, ...orScopes] = [...sentence.matchAll(/`(\w+)`/g)].map(([, name]) => name)
      const [, token] = /Needs a customer token with scope `(\w+)`/.exec(description) ?? []
      return { route: `${method.toUpperCase()} ${path}`, scope, orScopes, token }
    }),
  )
  const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1)
  expect(
    ROUTE_SCOPES.map((row) => ({ route: row.route, scope: row.scope, orScopes: orScopesOf(row), token: row.token })).sort(byRoute),
  ).toEqual(documented.sort(byRoute))
})

test.each(ROUTE_SCOPES.filter(({ scope }) => scope !== null))('$route is refused without a key of scope $scope', async (row) => {
  const refused: Record<string, unknown> = {}
  for (const { kind, authorization } of NO_KEYS) refused[kind] = await refusalOf(row, authorization())
  expect(refused).toEqual(Object.fromEntries(NO_KEYS.map(({ kind, code }) => [kind, `401 ${code}`])))

  const lacking = SCOPES.filter((scope) => scope !== row.scope && !orScopesOf(row).includes(scope) && scope !== 'admin')
  for (const scope of lacking) refused[scope] = await refusalOf(row, `Bearer ${scopedKeys[scope]}`)
  expect(lacking.map((scope) => refused[scope])).toEqual(lacking.map(() => '403 missing_scope'))
})

async function refusalOf(row: RouteRow, authorization: string | undefined): Promise<string> {
  const { status, body, headers, text } = await send(row, authorization)
  expect(headers.get('content-type')).toContain('application/problem+json')
  expect(body).toMatchObject({ status, detail: expect.stringMatching(/\S/) })
  if (status === 401) expect(headers.get('www-authenticate')).toBe('Bearer')
  expect(text).not.toContain(tollgate.adminKey)
  return `${status} ${(body as { code: string }).code}`
}

/** A page may call it with a publishable key. */
const isForPages = ({ scope, orScope }: RouteRow) => [scope, orScope].flat().includes('public')
const needsKey = ROUTE_SCOPES.filter(({ scope }) => scope !== null)
const needsToken = ROUTE_SCOPES.filter(({ token }) => token !== undefined)

test('a publishable key, a key narrowed to something else and a customer token are refused on every route that needs a key', async () => {
  const before = await readTenant(callerOf(tollgate, tollgate.adminKey), world)
  for (const row of needsKey) {
    const refused = {
      publishable: isForPages(row) ? 'public' : await refusalOf(row, `Bearer ${special.publishable}`),
      narrowed: await refusalOf(row, `Bearer ${special.narrowedToNobody}`),
      token: await refusalOf(row, `Bearer ${world.token}`),
    }
    expect({ route: row.route, ...refused }).toEqual({
      route: row.route,
      publishable: isForPages(row) ? 'public' : '403 missing_scope',
      // Events have a verdict each.
      narrowed: row.route === 'POST /v1/events' ? '400 invalid_events' : '403 narrowed_key',
      token: '403 token_outside_me',
    })
  }
  expect(await readTenant(callerOf(tollgate, tollgate.adminKey), world)).toEqual(before)
})

test.each(needsToken)('$route is refused to every key, and to a token without scope $token', async (row) => {
  for (const { kind, authorization, code } of NO_KEYS) {
    expect({ kind, refused: await refusalOf(row, authorization()) }).toEqual({ kind, refused: `401 ${code}` })
  }
  for (const key of [...Object.values(scopedKeys), special.publishable, special.narrowedToNobody]) {
    expect(await refusalOf(row, `Bearer ${key}`)).toBe('403 customer_token_needed')
  }
  const scopes = ['read', 'decide', 'portal'].filter((scope) => scope !== row.token)
  const call = callerOf(tollgate, tollgate.adminKey)
  const { token } = await call<{ token: string }>('POST', '/v1/customer-tokens', { customer: 'acme', scopes })
  expect(await refusalOf(row, `Bearer ${token}`)).toBe('403 missing_token_scope')
})

test('a customer token reads nothing of another customer, on any route, whatever the request names', async () => {
  for (const { route, request } of ROUTE_SCOPES) {
    const [method = 'GET'] = route.split(' ')
    const { path, body } = request(world)
    const requests = [
      { path, body },
      { path: `${path}${path.includes('?') ? '&' : '?'}customer=acme`, body },
      { path, body: { ...(body ?? {}), customer: 'acme' } },
      { path, body, headers: { 'x-customer': 'acme', 'tollgate-customer': 'acme' } },
    ]
    for (const { path, body, headers = {} } of requests) {
      const sent = method === 'GET' ? undefined : body
      const { status, text } = await tollgate.call(method, path, sent, { ...headers, authorization: `Bearer ${special.tokenOfOther}` })
      expect(text, path).not.toContain(MARKER)
      expect(text, path).not.toContain('1234.5')
      const isOwn = path.startsWith('/v1/me/') || ['/healthz', '/readyz'].some((open) => path.startsWith(open)) || !path.startsWith('/v1/')
      // A provider's notices need no key, as they are signed.
      const isOpen = path.startsWith('/v1/payment-notices/') || path === '/v1/rate'
      if (!isOwn && !isOpen) expect(`${route} ${status}`).toBe(`${route} 403`)
    }
  }
})

test('HEAD needs the key that GET needs', async () => {
  for (const { route, request } of ROUTE_SCOPES.filter((row) => row.route.startsWith('GET') && (row.scope ?? row.token ?? null) !== null)) {
    const { status } = await fetch(`${tollgate.url}${request(world).path}`, { method: 'HEAD' })
    expect({ route, status }).toEqual({ route, status: 401 })
  }
})

test("another tenant's key reads nothing and changes nothing, on any route", async () => {
  const call = callerOf(tollgate, tollgate.adminKey)
  const before = await readTenant(call, world)
  const statuses: Record<string, number> = {}
  // Usage last, as it creates the customer that it names in the other tenant, a moment later.
  const isUsage = ({ route }: RouteRow) => Number(route === 'POST /v1/events' || route === 'POST /v1/usage')
  for (const row of ROUTE_SCOPES.toSorted((a, b) => isUsage(a) - isUsage(b))) {
    const { status, text } = await send(row, `Bearer ${otherKey}`, asOther)
    statuses[row.route] = status
    expect(text, row.route).not.toContain(MARKER)
    expect(text, row.route).not.toContain('1234.5')
  }
  expect(statuses).toEqual(Object.fromEntries(ROUTE_SCOPES.map(({ route, ofOther }) => [route, ofOther])))
  expect(await readTenant(call, world)).toEqual(before)
})

test('an Idempotency-Key belongs to its tenant', async () => {
  const headers = { 'idempotency-key': 'same-of-both' }
  const own = { authorization: `Bearer ${tollgate.adminKey}`, ...headers }
  const body = { customer: 'acme', plan: 'pro', allowSeveral: true }
  expect((await tollgate.call('POST', '/v1/subscriptions', body, own)).status).toBe(201)
  const other = await tollgate.call('POST', '/v1/subscriptions', body, { authorization: `Bearer ${otherKey}`, ...headers })
  expect(other.body).toMatchObject({ status: 400, code: expect.stringMatching(/^unknown_/) })
  expect(other.headers.get('idempotent-replayed')).toBeNull()
})

// Last, as these requests change what the others read.
describe('a key of the right scope is let in', () => {
  test.each(ROUTE_SCOPES)('$route', async (row) => {
    const own = row.token === undefined ? tollgate.adminKey : world.token
    const key = row.token !== undefined ? `Bearer ${own}` : row.scope === null ? undefined : `Bearer ${scopedKeys[row.scope]}`
    const { status, text } = await send(row, key)
    expect(status, text.slice(0, 500)).toBe(row.own)
    // The outcome of a repeat does not matter here.
    expect([401, 403]).not.toContain((await send(row, `Bearer ${own}`)).status)
  })
})

test.each([
  { kind: 'a set', body: { quantity: '0', behaviour: 'set' } },
  { kind: 'a negative quantity', body: { quantity: '-5', behaviour: 'delta' } },
])('$kind takes usage away, and needs scope manage', async ({ body }) => {
  const report = { customer: 'acme', feature: 'tokens', ...body }
  const statusWith = async (key: string) => {
    const answer = await tollgate.call('POST', '/v1/usage', report, { authorization: `Bearer ${key}` })
    return { status: answer.status, ...(answer.body as { code?: string; detail?: string }) }
  }
  expect(await statusWith(scopedKeys.ingest)).toMatchObject({
    status: 403,
    code: 'missing_scope',
    detail: expect.stringContaining('manage'),
  })
  expect(await statusWith(scopedKeys.manage)).toMatchObject({ status: 202 })
})

test('no key but an admin key makes keys, so none makes one that may more than itself', async () => {
  for (const scope of SCOPES) {
    const answer = await tollgate.call(
      'POST',
      '/v1/keys',
      { name: 'more', scopes: ['admin'] },
      { authorization: `Bearer ${scopedKeys[scope]}` },
    )
    expect({ scope, status: answer.status }).toEqual({ scope, status: scope === 'admin' ? 201 : 403 })
  }
})
