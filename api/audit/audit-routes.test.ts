import { hash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { databaseStores } from '../../runtime/database-stores.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { catalogRoutes } from '../catalog/catalog-routes.ts'
import { keyRoutes } from '../keys/key-routes.ts'
import { auditRoutes } from './audit-routes.ts'

const log = pino({ level: 'silent' })
const hashSecret = (secret: string) => hash('sha256', secret)
const ADMIN = 'an-admin-key-of-the-test'

let path: string
let database: Database
let app: HttpApp
let keyId: string

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-audit-'))
  await copyPreparedCatalog(path)
  database = await openPGliteDatabase({ path, clock: systemClock, randomBytes, log })
  await database.migrate()
  const stores = databaseStores(database.session)
  const admin = { tenant: 'default' as TenantKey, name: 'admin', scopes: ['admin'], secretHash: hashSecret(ADMIN) } as const
  keyId = (await stores.keys.create(admin)).id
  app = createHttpApp({
    findPrincipal: async (secret) => (await stores.keys.find(hashSecret(secret)))?.principal ?? null,
    ...{ idempotency: stores.idempotency, clock: systemClock, log, registry: new Registry(), bodyBytesMax: 1_000_000 },
  })
  const unused = { onSubjectsPut: async () => undefined, isMeterReady: async () => true, onEntitlementsChanged: async () => undefined }
  app.register(catalogRoutes({ ...stores, ...unused, clock: systemClock }))
  app.register(keyRoutes({ keys: stores.keys, clock: systemClock, createSecret: () => randomBytes(32).toString('base64url'), hashSecret }))
  app.register(auditRoutes(stores))
  await app.ready()
})
afterAll(async () => {
  await app.close()
  await database.stop()
  await rm(path, { recursive: true, force: true })
})

async function call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, payload?: object) {
  const answer = await app.inject({
    ...{ method, url, headers: { authorization: `Bearer ${ADMIN}` }, remoteAddress: '192.0.2.7' },
    ...(payload === undefined ? {} : { payload }),
  })
  return { status: answer.statusCode, requestId: answer.headers['x-request-id'], body: answer.json() }
}

test('who changed this price: one call, with before and after', async () => {
  await call('PUT', '/v1/products/ai', { name: 'AI' })
  const plan = (baseFee: string) => ({ product: 'ai', name: 'Pro', currency: 'USD', interval: 'month', baseFee })
  await call('PUT', '/v1/plans/pro', plan('20.00'))
  const { requestId } = await call('PUT', '/v1/plans/pro', plan('25.00'))
  const { body } = await call('GET', '/v1/audit?objectType=plan_version&limit=1')
  expect(body.data).toMatchObject([
    {
      ...{ actor: `key/${keyId}`, route: 'PUT /v1/plans/:key', address: '192.0.2.7', requestId },
      ...{ object: 'pro/2', change: 'created', before: null },
    },
  ])
  expect(JSON.stringify(body.data[0].after)).toContain('25')
  const { body: of } = await call('GET', '/v1/audit?objectType=plan&object=pro')
  expect(of.data.map(({ change }: { change: string }) => change)).toContain('created')
  expect((await call('GET', '/v1/audit/check')).body).toMatchObject({ brokenAt: null })
})

test('a key that is made, rotated and ended is on record, without a secret', async () => {
  const { body: made } = await call('POST', '/v1/keys', { name: 'web', scopes: ['read'], allowedFrom: ['10.0.0.0/8'] })
  const { body: rotated } = await call('POST', `/v1/keys/${made.id}/rotate`, { graceMs: 1_000 })
  await call('DELETE', `/v1/keys/${made.id}`)
  const { body } = await call('GET', `/v1/audit?objectType=key&object=${made.id}`)
  expect(body.data).toMatchObject([
    { change: 'changed', before: { ended_at: null }, after: { ended_at: expect.stringContaining('T') } },
    { change: 'changed' },
    { change: 'created', after: { name: 'web', created_by: keyId, allowed_from: ['10.0.0.0/8'] } },
  ])
  for (const secret of [made.key, rotated.key]) {
    expect(JSON.stringify(body)).not.toContain(secret)
    expect(JSON.stringify(body)).not.toContain(hashSecret(secret))
  }
})

test.each([
  { url: '/v1/audit?from=yesterday', code: 'invalid_request' },
  { url: '/v1/audit?from=2027-01-01&to=2026-01-01', code: 'invalid_request' },
  { url: '/v1/audit?cursor=abc', code: 'invalid_cursor' },
  { url: '/v1/audit?who=me', code: 'invalid_request' },
])('$url is refused', async ({ url, code }) => {
  expect(await call('GET', url)).toMatchObject({ status: 400, body: { code } })
})

test.each([
  { body: { expiresAt: '2020-01-01T00:00:00Z' }, field: 'expiresAt', code: 'key_ends_in_past' },
  { body: { expiresAt: 'soon' }, field: 'expiresAt', code: 'invalid_request' },
  { body: { allowedFrom: ['10.0.0.1', '10.0.0.0/33'] }, field: 'allowedFrom[1]', code: 'invalid_address_range' },
  { body: { scopes: ['owner'] }, field: 'scopes[0]', code: 'invalid_request' },
])('a key with $body is refused, naming the field', async ({ body, field, code }) => {
  const answer = await call('POST', '/v1/keys', { name: 'web', scopes: ['read'], ...body })
  expect(answer).toMatchObject({ status: 400, body: { code, errors: [{ field }] } })
})

test('the last admin key cannot be ended, and an unknown one is 404', async () => {
  expect(await call('DELETE', '/v1/keys/key_none')).toMatchObject({ status: 404, body: { code: 'unknown_key' } })
  expect(await call('POST', '/v1/keys/key_none/rotate', {})).toMatchObject({ status: 404 })
})

test('the export has every entry of the list, and is gone on with by its cursor', async () => {
  const rows = async (query: string) => {
    const { payload } = await app.inject({ url: `/v1/audit/export${query}`, headers: { authorization: `Bearer ${ADMIN}` } })
    return payload.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  }
  for (let at = 0; at < 600; at++) await call('PUT', '/v1/products/exported', { name: `Product ${at}` })
  const all = await rows('')
  const withCursor = all.filter(({ cursor }) => cursor !== undefined)
  expect(withCursor).toHaveLength(1)
  expect(all.map(({ sequence }) => sequence)).toEqual(Array.from({ length: all.length }, (_, at) => all.length - at))
  expect(await rows(`?cursor=${encodeURIComponent(withCursor[0].cursor)}`)).toEqual(all.slice(500))
  const { body } = await call('GET', '/v1/audit?limit=3&object=exported')
  expect(await rows('?object=exported').then((some) => some.slice(0, 3))).toEqual(body.data)
})
