import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { CustomerKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import type { Scope } from '../../domain/principal.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { openCustomerNames } from '../../usage/customer-names.ts'
import { BULK_BOUNDS } from './bulk-bounds.ts'
import { bulkRoutes } from './bulk-routes.ts'

const TENANT = 'default' as TenantKey
const log = pino({ level: 'silent' })

type Verdict = { line: number; put?: string; status: number; code?: string; detail?: string; errors?: { field: string }[] }

describe('many puts', () => {
  let path: string
  let database: Database
  let stores: DatabaseStores
  let app: HttpApp
  let scopes: readonly Scope[] = ['admin']

  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-bulk-'))
    await copyPreparedCatalog(path)
    database = await openPGliteDatabase({ path, clock: systemClock, randomBytes, log })
    await database.migrate()
    stores = databaseStores(database.session)
    app = createHttpApp({
      findPrincipal: () => ({ keyId: 'k', tenant: TENANT, scopes }),
      idempotency: stores.idempotency,
      clock: systemClock,
      log,
      registry: new Registry(),
      bodyBytesMax: 1_000_000,
    })
    const customerNames = openCustomerNames(stores.customers, database.changes)
    app.register(bulkRoutes({ ...stores, customerNames, clock: systemClock, onSubjectsPut: async () => undefined }))
    await app.ready()
    expect(await statuses(CATALOG.map(([put, body]) => ({ put, body })))).toEqual([201, 201, 201, 201])
  })
  afterAll(async () => {
    await app.close()
    await database.stop()
    await rm(path, { recursive: true, force: true })
  })

  const post = (payload: string, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/v1/bulk',
      headers: { authorization: 'Bearer k', 'content-type': 'application/x-ndjson', ...headers },
      payload,
    })
  const bulk = async (lines: readonly (object | string)[]): Promise<readonly Verdict[]> => {
    const answer = await post(lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
    expect([answer.statusCode, answer.headers['content-type']], answer.body).toEqual([200, 'application/x-ndjson'])
    return answer.body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  const statuses = async (lines: readonly (object | string)[]) => (await bulk(lines)).map(({ code, status }) => code ?? status)

  test('customers and subscriptions, mixed, are put in the order of the lines; all again is the same', async () => {
    const lines = [
      { put: 'customers/a', body: { name: 'A', subjects: ['seat-a'], timezone: 'Asia/Tokyo' } },
      { put: 'subscriptions/sub-a', body: { customer: 'seat-a', plan: 'pro' } },
      { put: 'customers/b', body: {} },
      { put: 'subscriptions/sub-b', body: { customer: 'b', plan: 'pro', startAt: '2026-01-31T00:00:00Z' } },
    ]
    expect(await bulk(lines)).toEqual([
      { line: 1, put: 'customers/a', status: 201 },
      { line: 2, put: 'subscriptions/sub-a', status: 201 },
      { line: 3, put: 'customers/b', status: 201 },
      { line: 4, put: 'subscriptions/sub-b', status: 201 },
    ])
    expect(await statuses(lines)).toEqual([200, 200, 200, 200])
    expect(await stores.subscriptions.get(TENANT, 'sub-a' as SubscriptionId)).toMatchObject({ customer: 'a', timezone: 'Asia/Tokyo' })
    expect(await stores.subscriptions.get(TENANT, 'sub-b' as SubscriptionId)).toMatchObject({ startMs: Date.parse('2026-01-31T00:00:00Z') })
  })

  test('a subscription keeps the zone that the customer had at its line', async () => {
    await bulk([
      { put: 'customers/zoned', body: { timezone: 'Asia/Tokyo' } },
      { put: 'subscriptions/zoned-1', body: { customer: 'zoned', plan: 'pro' } },
      { put: 'customers/zoned', body: { timezone: 'Europe/Berlin' } },
      { put: 'subscriptions/zoned-2', body: { customer: 'zoned', plan: 'pro', allowSeveral: true } },
    ])
    const zoneOf = async (id: string) => (await stores.subscriptions.get(TENANT, id as SubscriptionId))?.timezone
    expect([await zoneOf('zoned-1'), await zoneOf('zoned-2')]).toEqual(['Asia/Tokyo', 'Europe/Berlin'])
  })

  test('each line has its own verdict, and a refused one keeps none of the others', async () => {
    const wide = `{"put":"customers/wide","body":{"metadata":{"a":[${'0,'.repeat(50_000)}0]}}}`
    const verdicts = await bulk([
      { put: 'customers/fine', body: {} },
      '{"put": "customers/x", "body": {',
      '"text"',
      '',
      { put: 'invoices/x', body: {} },
      { put: 'customers/x', body: { nmae: 'X' } },
      { put: 'customers/ x', body: {} },
      { put: 'plans/x y', body: {} },
      { put: 'customers/x', body: { timezone: 'Mars/Base' } },
      { put: 'customers/nul\0', body: {} },
      { put: 'subscriptions/s1', body: { customer: 'nobody', plan: 'pro' } },
      { put: 'subscriptions/s2', body: { customer: 'fine', plan: 'none' } },
      { put: 'subscriptions/s3', body: { customer: 'fine', plan: 'pro', id: 's3' } },
      { put: 'subscriptions/s4', body: { customer: 'fine', plan: 'pro' } },
      { put: 'subscriptions/s5', body: { customer: 'fine', plan: 'pro' } },
      wide,
      `{"put":"customers/deep","body":${'['.repeat(80)}${']'.repeat(80)}}`,
    ])
    expect(verdicts.map(({ line, code, status }) => [line, code ?? status])).toEqual([
      [1, 201],
      [2, 'invalid_json'],
      [3, 'invalid_put'],
      [5, 'invalid_put'],
      [6, 'invalid_request'],
      [7, 'invalid_request'],
      [8, 'invalid_request'],
      [9, 'unknown_timezone'],
      [10, 'invalid_text'],
      [11, 'unknown_customer'],
      [12, 'unknown_plan'],
      [13, 'invalid_request'],
      [14, 201],
      [15, 'already_subscribed'],
      [16, 'body_too_wide'],
      [17, 'body_too_deep'],
    ])
    expect(verdicts.find(({ line }) => line === 6)).toMatchObject({ status: 400, errors: [{ field: 'nmae' }] })
  })

  test('more than a batch, and what cannot be put together, is put all the same', async () => {
    const count = BULK_BOUNDS.batch.most + 20
    const lines = Array.from({ length: count }, (_, n) => [
      { put: `customers/many-${n}`, body: { subjects: [`many-seat-${n % 500}`] } },
      { put: `subscriptions/many-${n}`, body: { customer: `many-${n}`, plan: 'pro' } },
    ])
    const verdicts = await statuses(lines.flat())
    expect(verdicts.filter((verdict) => verdict === 201)).toHaveLength(2 * 500)
    expect(verdicts.filter((verdict) => verdict === 'subject_taken')).toHaveLength(20)
    expect(verdicts.filter((verdict) => verdict === 'unknown_customer')).toHaveLength(20)
  })

  test('a line that is too long has a verdict, and the next ones are put', async () => {
    const long = JSON.stringify({ put: 'customers/long', body: { name: 'x'.repeat(BULK_BOUNDS.lineBytes.most) } })
    expect(await statuses([long, { put: 'customers/after', body: {} }])).toEqual(['line_too_long', 201])
    expect(await stores.customers.get(TENANT, 'after' as CustomerKey)).not.toBeNull()
  })

  test('more lines than may be are refused, and those before are put', async () => {
    const lines = `${JSON.stringify({ put: 'customers/first', body: {} })}\n${'1\n'.repeat(BULK_BOUNDS.lines.most)}`
    const answer = await post(lines)
    expect([answer.statusCode, answer.json()]).toMatchObject([413, { code: 'too_many_puts' }])
    expect(await stores.customers.get(TENANT, 'first' as CustomerKey)).not.toBeNull()
  })

  test.each([
    { title: 'another type', headers: { 'content-type': 'application/json' }, code: 'unsupported_media_type' },
    { title: 'a coding', headers: { 'content-encoding': 'gzip' }, code: 'unsupported_content_encoding' },
  ])('$title is refused', async ({ headers, code }) => {
    expect((await post('{}', headers)).json()).toMatchObject({ code })
  })

  test('a key that may manage puts customers and no plans', async () => {
    scopes = ['manage']
    const verdicts = await bulk([
      { put: 'customers/managed', body: {} },
      { put: 'products/ai', body: { name: 'AI' } },
    ])
    expect(verdicts).toMatchObject([{ status: 201 }, { status: 403, code: 'missing_scope' }])
    scopes = ['read']
    expect((await post('{}')).statusCode).toBe(403)
    scopes = ['admin']
  })
})

const CATALOG = [
  ['meters/tokens', { eventType: 'llm', aggregation: 'sum', value: 'tokens' }],
  ['features/tokens', { type: 'metered', meter: 'tokens' }],
  ['products/ai', { name: 'AI' }],
  ['plans/pro', { product: 'ai', name: 'Pro', currency: 'EUR', interval: 'month', entitlements: [{ feature: 'tokens', limit: 10 }] }],
] as const
