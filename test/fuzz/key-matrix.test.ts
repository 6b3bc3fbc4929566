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
  await waitFor(async () => (await tollgate.call('GET', '/v1/events/request-1?customer=acme')).status === 200)
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

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
      const [, scope = null, orScope] = /Needs scope `(\w+)`(?: or `(\w+)`)?/.exec(description) ?? []
      return { route: `${method.toUpperCase()} ${path}`, scope, orScope }
    }),
  )
  const byRoute = (a: { route: string }, b: { route: string }) => (a.route < b.route ? -1 : 1)
  expect(ROUTE_SCOPES.map(({ route, scope, orScope }) => ({ route, scope, orScope })).sort(byRoute)).toEqual(documented.sort(byRoute))
})

test.each(ROUTE_SCOPES.filter(({ scope }) => scope !== null))('$route is refused without a key of scope $scope', async (row) => {
  const refused: Record<string, unknown> = {}
  for (const { kind, authorization } of NO_KEYS) refused[kind] = await refusalOf(row, authorization())
  expect(refused).toEqual(Object.fromEntries(NO_KEYS.map(({ kind, code }) => [kind, `401 ${code}`])))

  const lacking = SCOPES.filter((scope) => scope !== row.scope && scope !== row.orScope && scope !== 'admin')
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

test('HEAD needs the key that GET needs', async () => {
  for (const { route, request } of ROUTE_SCOPES.filter((row) => row.route.startsWith('GET') && row.scope !== null)) {
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
    const key = row.scope === null ? undefined : `Bearer ${scopedKeys[row.scope]}`
    const { status, text } = await send(row, key)
    expect(status, text.slice(0, 500)).toBe(row.own)
    // The outcome of a repeat does not matter here.
    expect([401, 403]).not.toContain((await send(row, `Bearer ${tollgate.adminKey}`)).status)
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
