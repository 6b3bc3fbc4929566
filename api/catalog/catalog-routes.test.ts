import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { InstantMs, MeterKey, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { grantRoutes } from '../balances/grant-routes.ts'
import { overrideRoutes } from '../balances/override-routes.ts'
import { openKeys } from '../keys/open-keys.ts'
import { catalogRoutes } from './catalog-routes.ts'

const TENANT = 'default' as TenantKey
const ADMIN = 'tg_admin'
const FROM = '2026-02-01T00:00:00Z'
const TO = '2027-02-01T00:00:00Z'
const log = pino({ level: 'silent' })
const hashSecret = (secret: string) => createHash('sha256').update(secret).digest('hex')

type Json = Readonly<Record<string, unknown>>

describe('the catalog over HTTP', () => {
  let path: string
  let database: Database
  let stores: DatabaseStores
  let app: HttpApp
  let nowMs = Date.parse('2026-01-31T12:00:00.000Z')
  let isMeterReady: (meter: Meter) => Promise<boolean>
  const changedCustomers: string[] = []

  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-catalog-routes-'))
    const clock = { ...systemClock, now: () => nowMs as InstantMs }
    await copyPreparedCatalog(path)
    database = await openPGliteDatabase({ path, clock, randomBytes, log })
    await database.migrate()
    stores = databaseStores(database.session)
    await stores.keys.create({ tenant: TENANT, name: 'admin', scopes: ['admin'], secretHash: hashSecret(ADMIN) })
    app = createHttpApp({
      findPrincipal: async (secret) => (await stores.keys.find(hashSecret(secret)))?.principal ?? null,
      idempotency: stores.idempotency,
      clock,
      log,
      registry: new Registry(),
      bodyBytesMax: 1_000_000,
    })
    const onEntitlementsChanged = async (_tenant: TenantKey, customer: string) => void changedCustomers.push(customer)
    app.register(
      catalogRoutes({
        ...stores,
        clock,
        onSubjectsPut: async () => undefined,
        isMeterReady: (meter) => isMeterReady(meter),
        meterReadyWaitMaxMs: 30,
        onEntitlementsChanged,
      }),
    )
    app.register(async (changes) => {
      refuseUnstorableBodies(changes)
      await overrideRoutes({ ...stores, onEntitlementsChanged })(changes)
      await grantRoutes({ ...stores, clock, onEntitlementsChanged })(changes)
    })
    const keys = openKeys({
      clock,
      stores,
      secrets: { create: () => `tg_${randomBytes(32).toString('base64url')}`, hash: hashSecret },
    })
    app.register(async (scope) => keys.routes?.(scope))
    await app.ready()
    isMeterReady = async () => true
    await ok('PUT', '/v1/meters/tokens', {
      eventType: 'llm.request',
      aggregation: 'sum',
      value: ['input', 'output'],
      dimensions: { model: 'model' },
    })
    await ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens', filter: { model: ['large'] } })
    await ok('PUT', '/v1/features/sso', { type: 'boolean' })
    await ok('PUT', '/v1/features/region', { type: 'config' })
    await ok('PUT', '/v1/products/ai', { name: 'AI' })
    await ok('PUT', '/v1/plans/pro', plan())
    await ok('PUT', '/v1/customers/acme', {})
  })
  afterAll(async () => {
    await app.close()
    await database.stop()
    await rm(path, { recursive: true, force: true })
  })
  beforeEach(() => {
    isMeterReady = async () => true
    nowMs = Date.parse('2026-01-31T12:00:00.000Z')
    changedCustomers.length = 0
  })

  const call = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${ADMIN}`, ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    return { status: answer.statusCode, body: (answer.body === '' ? null : answer.json()) as Json }
  }
  const ok = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, body?: unknown) => {
    const answer = await call(method, url, body)
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
    return answer.body
  }

  describe('meters', () => {
    test('are made, the same, changed, shown as they were put, and deleted', async () => {
      const meter = { eventType: 'run', aggregation: 'max', value: 'depth', dimensions: { kind: 'kind' } }
      expect(await call('PUT', '/v1/meters/a%2Fb', meter)).toMatchObject({ status: 201, body: { key: 'a/b', ...meter, status: 'ready' } })
      expect(await call('PUT', '/v1/meters/a%2Fb', meter)).toMatchObject({ status: 200 })
      expect(await call('PUT', '/v1/meters/a%2Fb', { eventType: 'run', aggregation: 'count' })).toMatchObject({
        status: 200,
        body: { key: 'a/b', eventType: 'run', aggregation: 'count', dimensions: {}, status: 'ready' },
      })
      expect(await ok('GET', '/v1/meters/a%2Fb')).toMatchObject({ aggregation: 'count' })
      expect(await ok('GET', '/v1/meters')).toMatchObject({
        data: [{ key: 'a/b' }, { key: 'tokens', value: ['input', 'output'] }],
        nextCursor: null,
      })
      expect(await call('DELETE', '/v1/meters/a%2Fb')).toEqual({ status: 204, body: null })
      expect(await call('DELETE', '/v1/meters/a%2Fb')).toMatchObject({ status: 404, body: { code: 'unknown_meter' } })
    })

    test('values, selection and rules are kept as they were put; stating a default is no change', async () => {
      const meter = {
        eventType: 'run',
        aggregation: 'sum',
        value: ['a["b.c"] - coalesce(d, 0)', 'e'],
        dimensions: { kind: 'coalesce(kind, x["y"])' },
        where: { status: { equals: 'ok' }, 'x-tier': { in: ['pro', 2] }, error: { exists: false } },
        onInexact: 'refuse',
        allowNegative: true,
        seriesMax: 500,
      }
      expect(await call('PUT', '/v1/meters/rules', meter)).toMatchObject({ status: 201, body: { key: 'rules', ...meter, status: 'ready' } })
      expect(await ok('GET', '/v1/meters/rules')).toMatchObject({ key: 'rules', ...meter, status: 'ready' })
      const revisionOf = async () => (await stores.meters.get(TENANT, 'rules' as MeterKey))?.revision
      const plain = { eventType: 'run', aggregation: 'sum', value: 'n' }
      await ok('PUT', '/v1/meters/rules', plain)
      const revision = await revisionOf()
      await ok('PUT', '/v1/meters/rules', { ...plain, where: {}, onInexact: 'round', allowNegative: false, seriesMax: 10_000 })
      expect(await revisionOf()).toBe(revision)
      await ok('DELETE', '/v1/meters/rules')
    })

    test('a put waits until the meter has counted what came before, and says when it has not', async () => {
      let asked = 0
      isMeterReady = async () => ++asked > 2
      expect(await ok('PUT', '/v1/meters/slow', { eventType: 'run', aggregation: 'count' })).toMatchObject({ status: 'ready' })
      isMeterReady = async () => false
      expect(await ok('PUT', '/v1/meters/slow', { eventType: 'run2', aggregation: 'count' })).toMatchObject({ status: 'backfilling' })
      expect(await ok('GET', '/v1/meters/slow')).toMatchObject({ status: 'backfilling' })
      await ok('DELETE', '/v1/meters/slow')
    })

    test.each([
      { title: 'no value', body: { aggregation: 'sum' }, code: 'invalid_meter', says: /value is missing: sum/ },
      { title: 'a value for count', body: { aggregation: 'count', value: 'x' }, code: 'invalid_meter', says: /count.*takes no value/ },
      {
        title: 'what is no expression, with the column',
        body: { aggregation: 'sum', value: ['n', 'usage.prompt_tokens-usage.cached'] },
        code: 'invalid_meter',
        says: /value\[1\] at column 20: .*subtraction/,
      },
      { title: 'a sum for unique', body: { aggregation: 'unique', value: 'a + b' }, code: 'invalid_meter', says: /value at column 3/ },
      {
        title: 'a dimension that is no path',
        body: { aggregation: 'count', dimensions: { model: 'a["b' } },
        code: 'invalid_meter',
        says: /dimensions\.model at column 2/,
      },
      {
        title: 'a condition on no path',
        body: { aggregation: 'count', where: { 'a b': { exists: true } } },
        code: 'invalid_meter',
        says: /where\.a b at column 3/,
      },
      {
        title: 'a type that no event can have',
        body: { aggregation: 'count', eventType: 'x'.repeat(129) },
        code: 'invalid_request',
        says: /eventType/,
      },
      { title: 'a value twice', body: { aggregation: 'sum', value: ['x', 'x'] }, code: 'invalid_meter', says: /value\[1\].*'x'/ },
      {
        title: '11 values',
        body: { aggregation: 'sum', value: Array.from({ length: 11 }, (_, n) => `v${n}`) },
        code: 'invalid_request',
        says: /value/,
      },
      {
        title: 'an expression of 1,001 characters',
        body: { aggregation: 'sum', value: `a${' '.repeat(999)}b` },
        code: 'invalid_request',
        says: /value/,
      },
      {
        title: 'an expression of 21 levels',
        body: { aggregation: 'sum', value: `${'('.repeat(21)}a${')'.repeat(21)}` },
        code: 'invalid_meter',
        says: /value at column 22: .*20 deep/,
      },
      {
        title: 'five factors',
        body: { aggregation: 'sum', value: 'a * b * c * d * e' },
        code: 'invalid_meter',
        says: /value at column \d+: .*more than 4/,
      },
      {
        title: '11 conditions',
        body: { aggregation: 'count', where: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`w${n}`, { exists: true }])) },
        code: 'invalid_request',
        says: /where.*10/,
      },
      {
        title: 'a bad dimension name',
        body: { aggregation: 'count', dimensions: { 'a,b': 'x' } },
        code: 'invalid_meter',
        says: /dimensions\.a,b/,
      },
      {
        title: 'the dimension customer',
        body: { aggregation: 'count', dimensions: { customer: 'x' } },
        code: 'invalid_meter',
        says: /'customer' is taken/,
      },
      {
        title: '11 dimensions',
        body: { aggregation: 'count', dimensions: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`d${n}`, 'x'])) },
        code: 'invalid_request',
        says: /dimensions.*10/,
      },
      {
        title: 'an unknown aggregation',
        body: { aggregation: 'median', value: 'x' },
        code: 'invalid_request',
        says: /aggregation must be one of.*"median"/,
      },
      {
        title: 'a seriesMax of 100,001',
        body: { aggregation: 'count', seriesMax: 100_001 },
        code: 'invalid_request',
        says: /seriesMax.*100000/,
      },
      { title: 'a seriesMax of 0', body: { aggregation: 'count', seriesMax: 0 }, code: 'invalid_request', says: /seriesMax.*1/ },
      { title: 'an unknown field', body: { aggregation: 'count', colour: 'red' }, code: 'invalid_request', says: /colour/ },
      { title: 'a NUL', body: { aggregation: 'sum', value: 'a\0b' }, code: 'invalid_text', says: /value/ },
    ])('$title is refused as $code', async ({ body, code, says }) => {
      await expectRefused('PUT', '/v1/meters/bad', { eventType: 'run', ...body }, code, says)
      expect((await call('GET', '/v1/meters/bad')).status).toBe(404)
    })

    test('a lone surrogate in the body is refused', async () => {
      const answer = await call('PUT', '/v1/products/p', '{"name":"\\ud800"}', { 'content-type': 'application/json' })
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_text', errors: [{ field: 'name' }] } })
    })
  })

  const expectRefused = async (method: 'PUT' | 'POST', url: string, body: unknown, code: string, says: RegExp, status = 400) => {
    const answer = await call(method, url, body)
    expect(answer).toMatchObject({ status, body: { code, status } })
    expect(JSON.stringify([answer.body.detail, answer.body.errors]).replaceAll('\\"', '"')).toMatch(says)
  }

  describe('features and products', () => {
    test('are shown with their defaults', async () => {
      expect(await ok('GET', '/v1/features/sso')).toMatchObject({
        key: 'sso',
        name: 'sso',
        type: 'boolean',
        meter: null,
        filter: {},
        unit: null,
      })
      expect(await ok('GET', '/v1/features?limit=2')).toMatchObject({
        data: [{ key: 'region' }, { key: 'sso' }],
        nextCursor: expect.any(String),
      })
      expect(await ok('GET', '/v1/products')).toMatchObject({ data: [{ key: 'ai', name: 'AI', description: null }], nextCursor: null })
      expect(await call('GET', '/v1/features/none')).toMatchObject({ status: 404, body: { code: 'unknown_feature' } })
      expect(await call('GET', '/v1/products?cursor=%21')).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
    })

    test.each([
      { title: 'metered without a meter', body: { type: 'metered' }, code: 'invalid_feature', says: /meter is missing/ },
      { title: 'on an unknown meter', body: { type: 'metered', meter: 'none' }, code: 'unknown_meter', says: /meter none/ },
      {
        title: 'filtering on no dimension',
        body: { type: 'metered', meter: 'tokens', filter: { colour: ['red'] } },
        code: 'invalid_feature',
        says: /filter\.colour.*model/,
      },
      { title: 'boolean with a meter', body: { type: 'boolean', meter: 'tokens' }, code: 'invalid_feature', says: /boolean/ },
      { title: 'config with a filter', body: { type: 'config', filter: { model: ['x'] } }, code: 'invalid_feature', says: /config/ },
      {
        title: 'of an unknown type',
        body: { type: 'magic' },
        code: 'invalid_request',
        says: /type must be one of metered, boolean, config/,
      },
    ])('a feature $title is refused as $code', async ({ body, code, says }) => {
      await expectRefused('PUT', '/v1/features/bad', body, code, says)
    })
  })

  describe('plans', () => {
    test('are shown normalised, and what is shown can be put again', async () => {
      const shown = await ok('GET', '/v1/plans/pro')
      expect(shown).toMatchObject({
        key: 'pro',
        version: 1,
        product: 'ai',
        name: 'Pro',
        currency: 'EUR',
        interval: 'month',
        baseFee: '20',
        charges: [{ key: 'tokens', feature: 'tokens', filter: {}, price: { model: 'flat', unitAmount: '2.5', per: '1000' } }],
        entitlements: [
          { feature: 'tokens', limit: '1000', limitType: 'hard', reset: 'interval', anchor: 'subscription' },
          { feature: 'sso', value: true },
          { feature: 'region', value: { allowed: ['eu', 'us'] } },
        ],
      })
      const { key, version, createdAt: _made, updatedAt: _changed, archivedAt: _archived, ...again } = shown
      expect(await call('PUT', `/v1/plans/${key}`, again)).toEqual({ status: 200, body: { ...shown, version } })
    })

    test('say what holds while balances cannot be trusted, and for what', async () => {
      const policies = [
        { feature: 'tokens', limit: '1', onUncertain: 'allow' },
        { feature: 'sso', onUncertain: 'deny' },
      ]
      const body = { product: 'ai', name: 'Sure', currency: 'EUR', interval: 'month', entitlements: policies }
      const put = await call('PUT', '/v1/plans/sure', body)
      expect(put).toMatchObject({ status: 201, body: { entitlements: [policies[0], { ...policies[1], value: true }] } })
      const shown = await ok('GET', '/v1/plans/sure')
      const { key: _, version, createdAt: _made, updatedAt: _changed, archivedAt: _archived, ...again } = shown
      expect(await call('PUT', '/v1/plans/sure', again)).toEqual({ status: 200, body: { ...shown, version } })
      await expectRefused(
        'PUT',
        '/v1/plans/sure',
        { ...body, entitlements: [{ feature: 'sso', onUncertain: 'maybe' }] },
        'invalid_request',
        /onUncertain/,
      )
    })

    test.each([
      { title: 'an unknown product', change: { product: 'none' }, code: 'unknown_product', says: /product none/ },
      { title: 'an unknown currency', change: { currency: 'EURO' }, code: 'unknown_currency', says: /EURO/ },
      {
        title: '201 charges',
        change: { charges: Array.from({ length: 201 }, (_, n) => charge({ key: `c${n}` })) },
        code: 'invalid_request',
        says: /charges.*200/,
      },
      {
        title: '501 entitlements',
        change: { entitlements: Array.from({ length: 501 }, (_, n) => ({ feature: `f${n}` })) },
        code: 'invalid_request',
        says: /entitlements.*500/,
      },
      { title: 'an unknown interval', change: { interval: 'fortnight' }, code: 'invalid_request', says: /interval/ },
      { title: 'a negative base fee', change: { baseFee: '-1' }, code: 'invalid_base_fee', says: /baseFee.*-1/ },
      {
        title: 'an unknown feature',
        change: { entitlements: [{ feature: 'none' }] },
        code: 'unknown_feature',
        says: /entitlements\[0\]\.feature/,
      },
      {
        title: 'a charge on a boolean',
        change: { charges: [charge({ feature: 'sso' })] },
        code: 'feature_not_metered',
        says: /charges\[0\].*sso is boolean/,
      },
      {
        title: 'a charge twice',
        change: { charges: [charge(), charge()] },
        code: 'duplicate_key',
        says: /charges\[1\]\.key is 'c' as in charges\[0\]/,
      },
      {
        title: 'a charge filtering on no dimension',
        change: { charges: [charge({ filter: { colour: ['red'] } })] },
        code: 'unknown_dimension',
        says: /charges\[0\]\.filter\.colour/,
      },
      {
        title: 'tiers out of order',
        change: { charges: [charge({ price: { model: 'tiered', tiers: ['9', '5', null].map((upTo) => ({ upTo, unitAmount: '1' })) } })] },
        code: 'invalid_price',
        says: /charges\[0\]\.price\.tiers\[1\]\.upTo/,
      },
      {
        title: 'a feature entitled twice',
        change: { entitlements: [{ feature: 'sso' }, { feature: 'sso' }] },
        code: 'duplicate_feature',
        says: /entitlements\[1\]/,
      },
      {
        title: 'a limit on a boolean',
        change: { entitlements: [{ feature: 'sso', limit: 3 }] },
        code: 'not_metered',
        says: /limit.*sso is boolean/,
      },
      {
        title: 'a reset on a config',
        change: { entitlements: [{ feature: 'region', reset: 'day', value: 1 }] },
        code: 'not_metered',
        says: /reset/,
      },
      {
        title: 'a value on a metered feature',
        change: { entitlements: [{ feature: 'tokens', value: 3 }] },
        code: 'value_not_taken',
        says: /value/,
      },
      {
        title: 'a boolean that is no boolean',
        change: { entitlements: [{ feature: 'sso', value: 'yes' }] },
        code: 'invalid_value',
        says: /"yes"/,
      },
      { title: 'a config without a value', change: { entitlements: [{ feature: 'region' }] }, code: 'missing', says: /value is missing/ },
      {
        title: 'a negative limit',
        change: { entitlements: [{ feature: 'tokens', limit: '-1' }] },
        code: 'invalid_quantity',
        says: /limit.*"-1"/,
      },
      {
        title: 'a limit with 10 digits',
        change: { entitlements: [{ feature: 'tokens', limit: '0.0000000001' }] },
        code: 'invalid_quantity',
        says: /9 fractional/,
      },
      {
        title: 'a rollover of nothing',
        change: { entitlements: [{ feature: 'tokens', rollover: { percent: 50 } }] },
        code: 'rollover_without_limit',
        says: /needs a limit/,
      },
      {
        title: 'a rollover of 101 %',
        change: { entitlements: [{ feature: 'tokens', limit: 1, rollover: { percent: 101 } }] },
        code: 'invalid_percent',
        says: /0 to 100/,
      },
    ])('$title is refused as $code', async ({ change, code, says }) => {
      await expectRefused('PUT', '/v1/plans/bad', { ...plan(), ...change }, code, says)
      expect((await call('GET', '/v1/plans/bad')).status).toBe(404)
    })

    test.each([
      { version: '2147483647', status: 404, code: 'unknown_plan' },
      { version: '2147483648', status: 400, code: 'invalid_request' },
      { version: '9'.repeat(64), status: 400, code: 'invalid_request' },
    ])('version $version is $status $code', async ({ version, status, code }) => {
      expect(await call('GET', `/v1/plans/pro?version=${version}`)).toMatchObject({ status, body: { code } })
    })

    test('every wrong field is named at once', async () => {
      const { body } = await call('PUT', '/v1/plans/bad', { ...plan(), product: 'none', baseFee: 'x', entitlements: [{ feature: 'none' }] })
      expect((body.errors as { field: string }[]).map(({ field }) => field)).toEqual(['product', 'baseFee', 'entitlements[0].feature'])
    })
  })

  describe('customers', () => {
    test('are put whole, with subjects and metadata', async () => {
      const body = { name: 'Globex', email: 'x@globex.test', subjects: ['u/1', 'u/1', 'ü 2'], metadata: { a: { b: [1] } } }
      const shown = { key: 'globex', ...body, subjects: ['u/1', 'ü 2'] }
      expect(await call('PUT', '/v1/customers/globex', body)).toMatchObject({ status: 201, body: shown })
      expect(await call('PUT', '/v1/customers/globex', body)).toMatchObject({ status: 200, body: shown })
      expect(await ok('GET', '/v1/customers/globex')).toMatchObject(shown)
      expect(await call('PUT', '/v1/customers/other', { subjects: ['u/1'] })).toMatchObject({
        status: 409,
        body: { code: 'subject_taken' },
      })
      expect(await ok('PUT', '/v1/customers/globex', {})).toMatchObject({
        key: 'globex',
        name: null,
        email: null,
        subjects: [],
        metadata: {},
      })
      expect(await call('GET', '/v1/customers/none')).toMatchObject({ status: 404, body: { code: 'unknown_customer' } })
      await expectRefused('PUT', '/v1/customers/globex', { metadata: { a: 'x'.repeat(20_000) } }, 'metadata_too_large', /16384/)
    })

    test.each([
      { title: '1,001 subjects', body: { subjects: Array.from({ length: 1_001 }, (_, n) => `u${n}`) }, says: /subjects.*1000/ },
      {
        title: '51 properties of metadata',
        body: { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`p${n}`, n])) },
        says: /metadata.*50/,
      },
    ])('$title are refused', async ({ body, says }) => {
      await expectRefused('PUT', '/v1/customers/globex', body, 'invalid_request', says)
    })

    test('are found by what people know of them, counted, and a cursor of another filter is refused', async () => {
      await ok('PUT', '/v1/customers/hooli-1', { name: 'Hooli', email: 'gavin@hooli.test', metadata: { tier: 'gold' } })
      await ok('PUT', '/v1/customers/hooli-2', { metadata: { tier: 'gold', level: 3 } })
      const keysOf = async (query: string) => ((await ok('GET', `/v1/customers?${query}`)).data as { key: string }[]).map(({ key }) => key)
      expect(await keysOf('search=GAVIN')).toEqual(['hooli-1'])
      expect(await keysOf('search=hooli&sort=key')).toEqual(['hooli-1', 'hooli-2'])
      expect(await keysOf('email=gavin@hooli.test')).toEqual(['hooli-1'])
      expect(await keysOf('metadata[tier]=gold&metadata[level]=3')).toEqual(['hooli-2'])
      const first = await ok('GET', '/v1/customers?metadata[tier]=gold&limit=1&count=true')
      expect(first).toMatchObject({ data: [{ createdAt: expect.any(String), archivedAt: null }], count: 2 })
      const next = `cursor=${first.nextCursor}&limit=1`
      expect(await keysOf(`metadata[tier]=gold&${next}`)).toHaveLength(1)
      for (const other of [`customers?metadata[tier]=silver&${next}`, `customers?${next}`, `products?${next}`, `subscriptions?${next}`]) {
        expect(await call('GET', `/v1/${other}`)).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } })
      }
      expect(await call('GET', '/v1/customers?metadata=gold')).toMatchObject({ status: 400 })
    })

    test('a zone is the one of subscriptions that begin later, and keeps those that have begun', async () => {
      expect(await call('PUT', '/v1/customers/tokyo', { timezone: 'Asia/Edo' })).toMatchObject({
        status: 400,
        body: { code: 'unknown_timezone' },
      })
      await ok('PUT', '/v1/customers/tokyo', { timezone: 'Asia/Tokyo' })
      const subscription = await ok('POST', '/v1/subscriptions', { customer: 'tokyo', plan: 'pro' })
      expect(subscription).toMatchObject({ timezone: 'Asia/Tokyo' })
      expect(await ok('PUT', '/v1/customers/tokyo', { timezone: 'Europe/Berlin' })).toMatchObject({ timezone: 'Europe/Berlin' })
      expect(await ok('GET', `/v1/subscriptions/${subscription.id}`)).toMatchObject({ timezone: 'Asia/Tokyo' })
    })

    test('a page of 1,001 is refused', async () => {
      expect(await call('GET', '/v1/customers?limit=1001')).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    })
  })

  describe('archived', () => {
    const archived = { status: 409, body: { code: 'archived' } }
    beforeAll(async () => {
      await ok('PUT', '/v1/products/old', { name: 'Old' })
      await ok('PUT', '/v1/features/old', { type: 'boolean' })
      await ok('PUT', '/v1/plans/old', { ...plan(), product: 'old', entitlements: [{ feature: 'old' }], charges: [] })
      await ok('PUT', '/v1/plans/current', { ...plan(), charges: [] })
      for (const key of ['veteran', 'newcomer']) await ok('PUT', `/v1/customers/${key}`, {})
    })

    test.each([
      { path: 'customers/retired', missing: 'customers/nobody' },
      { path: 'plans/retired', missing: 'plans/nothing' },
      { path: 'products/retired', missing: 'products/nothing' },
      { path: 'features/retired', missing: 'features/nothing' },
    ])('$path is out of the list and back again, as often as asked', async ({ path, missing }) => {
      const [collection, key] = path.split('/')
      const bodies = { customers: {}, plans: { ...plan(), charges: [] }, products: { name: 'R' }, features: { type: 'boolean' } }
      await ok('PUT', `/v1/${path}`, bodies[collection as keyof typeof bodies])
      const isListed = async (query: string) =>
        ((await ok('GET', `/v1/${collection}?limit=1000${query}`)).data as { key: string }[]).some((each) => each.key === key)
      for (const repeat of [1, 2]) {
        expect([repeat, await ok('POST', `/v1/${path}/archive`)]).toMatchObject([repeat, { key, archivedAt: expect.any(String) }])
        expect([await isListed(''), await isListed('&archived=true'), await isListed('&archived=any')]).toEqual([false, true, true])
      }
      expect(await ok('GET', `/v1/${path}`)).toMatchObject({ archivedAt: expect.any(String) })
      expect(await ok('POST', `/v1/${path}/unarchive`)).toMatchObject({ key, archivedAt: null })
      expect(await isListed('')).toBe(true)
      expect(await call('POST', `/v1/${missing}/archive`)).toMatchObject({ status: 404 })
    })

    test('a plan, its product and its features are not sold anew; what is on them goes on and can change', async () => {
      const { id } = await ok('POST', '/v1/subscriptions', { customer: 'veteran', plan: 'old' })
      for (const path of ['plans/old', 'products/old']) {
        await ok('POST', `/v1/${path}/archive`)
        expect(await call('POST', '/v1/subscriptions', { customer: 'newcomer', plan: 'old' })).toMatchObject(archived)
        await ok('POST', `/v1/${path}/unarchive`)
      }
      const other = await ok('POST', '/v1/subscriptions', { customer: 'newcomer', plan: 'current' })
      await ok('POST', '/v1/plans/old/archive')
      expect(await call('POST', `/v1/subscriptions/${other.id}/change`, { plan: 'old', at: 'now' })).toMatchObject(archived)
      expect(await ok('GET', `/v1/subscriptions/${id}`)).toMatchObject({ status: 'active', plan: 'old' })
      await ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'current', at: 'periodEnd' })
      expect(await ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'old', at: 'periodEnd' })).toMatchObject({
        phases: [{ plan: 'old' }],
      })
      await ok('POST', '/v1/features/old/archive')
      await ok('POST', '/v1/products/old/archive')
      const named = { ...plan(), name: 'Named anew', charges: [] }
      expect(await call('PUT', '/v1/plans/newer', { ...named, entitlements: [{ feature: 'old' }] })).toMatchObject(archived)
      expect(await call('PUT', '/v1/plans/newer', { ...named, product: 'old', entitlements: [] })).toMatchObject(archived)
      expect(await call('PUT', '/v1/customers/newcomer/entitlements/old', { value: true })).toMatchObject(archived)
      // A plan that has named them may still be changed.
      expect(await ok('PUT', '/v1/plans/old', { ...named, product: 'old', entitlements: [{ feature: 'old' }] })).toMatchObject({
        version: 2,
      })
    })
  })

  describe('subscriptions', () => {
    test('run from start to end, through a change of plan', async () => {
      await ok('PUT', '/v1/plans/free', { ...plan(), name: 'Free', baseFee: null, charges: [] })
      const created = await call('POST', '/v1/subscriptions', { customer: 'acme', plan: 'free' })
      expect(created).toEqual({
        status: 201,
        body: {
          id: expect.stringMatching(/^sub_/),
          customer: 'acme',
          plan: 'free',
          planVersion: 1,
          status: 'active',
          startAt: '2026-01-31T12:00:00.000Z',
          anchor: '2026-01-31T12:00:00.000Z',
          endAt: null,
          currentPeriod: { start: '2026-01-31T12:00:00.000Z', end: '2026-02-28T12:00:00.000Z' },
          phases: [{ plan: 'free', planVersion: 1, startAt: '2026-01-31T12:00:00.000Z', endAt: null }],
        },
      })
      const url = `/v1/subscriptions/${created.body.id}`
      expect(await ok('POST', `${url}/change`, { plan: 'pro', at: 'periodEnd' })).toMatchObject({
        plan: 'free',
        phases: [
          { plan: 'free', endAt: '2026-02-28T12:00:00.000Z' },
          { plan: 'pro', startAt: '2026-02-28T12:00:00.000Z' },
        ],
      })
      nowMs = Date.parse('2026-03-01T00:00:00Z')
      expect(await ok('GET', url)).toMatchObject({
        plan: 'pro',
        currentPeriod: { start: '2026-02-28T12:00:00.000Z', end: '2026-03-31T12:00:00.000Z' },
      })
      expect(await ok('POST', `${url}/cancel`, { at: 'periodEnd' })).toMatchObject({
        status: 'canceled',
        endAt: '2026-03-31T12:00:00.000Z',
      })
      nowMs = Date.parse('2026-03-31T12:00:00Z')
      expect(await ok('GET', url)).toMatchObject({ status: 'ended', currentPeriod: { end: '2026-03-31T12:00:00.000Z' } })
      expect(await call('POST', `${url}/change`, { plan: 'free', at: 'now' })).toMatchObject({
        status: 409,
        body: { code: 'subscription_ended' },
      })
      expect(changedCustomers).toEqual(['acme', 'acme', 'acme'])
      expect(await ok('GET', '/v1/subscriptions?customer=acme')).toMatchObject({ data: [{ id: created.body.id }], nextCursor: null })
      expect(await ok('GET', '/v1/subscriptions?customer=globex')).toEqual({ data: [], nextCursor: null })
    })

    test('a second one to the same product is refused unless it says so', async () => {
      await ok('PUT', '/v1/customers/double', {})
      const wanted = { customer: 'double', plan: 'pro' }
      const { id } = await ok('POST', '/v1/subscriptions', wanted)
      const second = await call('POST', '/v1/subscriptions', wanted)
      expect(second).toMatchObject({ status: 409, body: { code: 'already_subscribed', detail: expect.stringContaining(`${id}`) } })
      expect((await call('POST', '/v1/subscriptions', { ...wanted, allowSeveral: true })).status).toBe(201)
    })

    test('an id of your own may be sent again, and is the subscription from then on', async () => {
      await ok('PUT', '/v1/customers/named', {})
      const wanted = { id: 'order/7:a', customer: 'named', plan: 'pro' }
      const first = await call('POST', '/v1/subscriptions', wanted)
      expect(await call('POST', '/v1/subscriptions', wanted)).toEqual(first)
      expect(await ok('GET', '/v1/subscriptions/order%2F7:a')).toEqual(first.body)
      expect(await call('POST', '/v1/subscriptions', { ...wanted, customer: 'acme' })).toMatchObject({
        status: 409,
        body: { code: 'subscription_id_taken' },
      })
    })

    test('a plan in another currency is refused as a change', async () => {
      await ok('PUT', '/v1/customers/payer', {})
      await ok('PUT', '/v1/plans/dollars', { ...plan(), name: 'Dollars', currency: 'USD' })
      const { id } = await ok('POST', '/v1/subscriptions', { customer: 'payer', plan: 'pro' })
      for (const at of ['now', 'periodEnd']) {
        expect(await call('POST', `/v1/subscriptions/${id}/change`, { plan: 'dollars', at })).toMatchObject({
          status: 409,
          body: { code: 'currency_mismatch', detail: expect.stringMatching(/USD.*EUR/) },
        })
      }
    })

    test('ends at an instant to come, and runs on when that is taken back', async () => {
      await ok('PUT', '/v1/customers/leaver', {})
      const { id } = await ok('POST', '/v1/subscriptions', { customer: 'leaver', plan: 'pro' })
      const url = `/v1/subscriptions/${id}`
      const endAt = new Date(nowMs + 5_000).toISOString()
      expect(await ok('POST', `${url}/cancel`, { at: endAt })).toMatchObject({ status: 'canceled', endAt })
      expect(await ok('POST', `${url}/uncancel`)).toMatchObject({ status: 'active', endAt: null })
      await expectRefused('POST', `${url}/cancel`, { at: new Date(nowMs - 1).toISOString() }, 'end_in_past', /now or later/)
      await expectRefused('POST', `${url}/cancel`, { at: 'soon' }, 'invalid_request', /at.*soon/)
      await ok('POST', `${url}/cancel`, { at: 'now' })
      expect(await call('POST', `${url}/uncancel`)).toMatchObject({ status: 409, body: { code: 'subscription_over' } })
    })

    test('begins no later than an event of the same second', async () => {
      await ok('PUT', '/v1/customers/prompt', {})
      const startAt = '2026-01-15T02:06:16.397Z'
      expect(await ok('POST', '/v1/subscriptions', { customer: 'prompt', plan: 'pro', startAt })).toMatchObject({
        startAt: '2026-01-15T02:06:16.000Z',
        anchor: '2026-01-15T02:06:16.000Z',
      })
    })

    test('an Idempotency-Key makes one of many', async () => {
      await ok('PUT', '/v1/customers/once', {})
      const subscribe = (plan: string) => call('POST', '/v1/subscriptions', { customer: 'once', plan }, { 'idempotency-key': 'k1' })
      const first = await subscribe('pro')
      expect(await subscribe('pro')).toEqual(first)
      expect(await subscribe('free')).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } })
      expect((await ok('GET', '/v1/subscriptions?customer=once')).data).toHaveLength(1)
    })

    test.each([
      { title: 'an unknown customer', change: { customer: 'nobody' }, code: 'unknown_customer', says: /nobody/ },
      { title: 'an unknown plan', change: { plan: 'none' }, code: 'unknown_plan', says: /plan none/ },
      { title: 'a start that is no time', change: { startAt: 'soon' }, code: 'invalid_request', says: /startAt.*"soon"/ },
      { title: 'a start that is no day', change: { startAt: '2026-02-30T00:00:00Z' }, code: 'invalid_request', says: /startAt/ },
      { title: 'an anchor before 1970', change: { anchor: '1969-12-31T23:59:59Z' }, code: 'invalid_time', says: /anchor.*1970/ },
    ])('$title is refused as $code', async ({ change, code, says }) => {
      await expectRefused('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro', ...change }, code, says)
    })

    test.each([
      ['GET', ''],
      ['POST', '/cancel'],
      ['POST', '/uncancel'],
      ['POST', '/change'],
    ] as const)('%s %s of an unknown subscription is 404', async (method, suffix) => {
      const body = { GET: undefined, '/uncancel': undefined, '/cancel': { at: 'now' }, '/change': { plan: 'pro', at: 'now' } }[
        suffix === '' ? 'GET' : suffix
      ]
      expect(await call(method, `/v1/subscriptions/sub_none${suffix}`, body)).toMatchObject({
        status: 404,
        body: { code: 'unknown_subscription' },
      })
    })
  })

  describe('terms of billing', () => {
    const TERMS = {
      baseFeeTiming: 'arrears',
      proration: { baseFee: 'none', tiers: 'scaled' },
      minimum: { amount: '100.5', counts: ['usage'] },
      thresholdAmount: '1000',
      credits: [{ amount: '5', priority: 1, expires: 'periodEnd' }],
    }
    const CHARGE = { key: 'tokens', feature: 'tokens', filter: {}, price: { model: 'flat', unitAmount: '1' } }

    test('of a plan, its charges, a customer and a subscription are kept as they were put', async () => {
      await stores.taxRates.put(TENANT, { key: 'vat', name: 'VAT', percentNano: 20_000_000_000n, isInclusive: false })
      const charges = [{ ...CHARGE, minimum: '1', maximum: '2.5', taxRates: ['vat'] }]
      expect(await ok('PUT', '/v1/plans/terms', { ...plan(), ...TERMS, charges })).toMatchObject({ ...TERMS, charges })
      expect(await ok('GET', '/v1/plans/terms')).toMatchObject({ version: 1, ...TERMS, charges })
      expect(await ok('PUT', '/v1/plans/terms', { ...plan(), ...TERMS, charges })).toMatchObject({ version: 1 })
      const billed = { currency: 'EUR', taxRates: ['vat'], taxExempt: true, taxId: 'DE1', address: 'Street 1', graceMs: 0, dueDays: 14 }
      expect(await ok('PUT', '/v1/customers/termed', billed)).toMatchObject(billed)
      expect(await ok('GET', '/v1/customers/termed')).toMatchObject(billed)
      const terms = {
        timezone: 'Europe/Berlin',
        commitment: { amount: '500', from: '2026-02-01T00:00:00.000Z', to: '2027-02-01T00:00:00.000Z', counts: ['usage'] },
      }
      const { id } = await ok('POST', '/v1/subscriptions', { customer: 'termed', plan: 'terms', ...terms })
      expect(await ok('GET', `/v1/subscriptions/${id}`)).toMatchObject(terms)
      await ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'pro', at: 'now', invoice: 'now', resetAnchor: true })
      const moved = (await stores.subscriptions.list(TENANT, {}, { limit: 1_000 })).data.find((each) => each.id === id)
      expect(moved?.phases.at(-1)).toMatchObject({ plan: 'pro', invoiceNow: true, anchorMs: nowMs })
      nowMs += 60_000
      await ok('POST', `/v1/subscriptions/${id}/cancel`, { at: 'now', invoice: 'now' })
      expect((await stores.subscriptions.list(TENANT, {}, { limit: 1_000 })).data.find((each) => each.id === id)?.endInvoiceNow).toBe(true)
    })

    test.each([
      { body: { minimum: { amount: '0.001' } }, code: 'amount_too_fine', field: 'minimum.amount' },
      { body: { thresholdAmount: -1 }, code: 'invalid_amount', field: 'thresholdAmount' },
      { body: { credits: [{ amount: 'NaN' }] }, code: 'amount_too_fine', field: 'credits[0].amount' },
      { body: { charges: [{ ...CHARGE, minimum: '2', maximum: '1' }] }, code: 'invalid_amount', field: 'charges[0].maximum' },
    ])('a plan with $body is refused as $code', async ({ body, code, field }) => {
      expect(await call('PUT', '/v1/plans/bad', { ...plan(), ...body })).toMatchObject({ status: 400, body: { code, errors: [{ field }] } })
    })

    test.each([
      { terms: { timezone: 'Mars/Olympus' }, code: 'unknown_timezone', field: 'timezone' },
      { terms: { commitment: { amount: '1.001', from: FROM, to: TO } }, code: 'amount_too_fine', field: 'commitment.amount' },
      { terms: { commitment: { amount: '1', from: TO, to: FROM } }, code: 'invalid_amount', field: 'commitment.to' },
    ])('a subscription with $terms is refused as $code', async ({ terms, code, field }) => {
      const answer = await call('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro', ...terms })
      expect(answer).toMatchObject({ status: 400, body: { code, errors: [{ field }] } })
    })
  })

  describe('keys', () => {
    test('a key is shown once, works with its scopes, and is stored as a hash', async () => {
      const created = await call('POST', '/v1/keys', { name: 'reader', scopes: ['read', 'read'] })
      expect(created).toMatchObject({
        status: 201,
        body: { name: 'reader', scopes: ['read'], key: expect.stringMatching(/^tg_[\w-]{43}$/) },
      })
      const withKey = { authorization: `Bearer ${created.body.key}` }
      expect((await call('GET', '/v1/plans', undefined, withKey)).status).toBe(200)
      expect(await call('GET', '/v1/keys', undefined, withKey)).toMatchObject({ status: 403 })
      const { key: _secret, ...listed } = created.body
      expect((await ok('GET', '/v1/keys')).data).toContainEqual(listed)
      await expectRefused('POST', '/v1/keys', { name: 'x', scopes: ['root'] }, 'invalid_request', /scopes\[0\].*admin/)
    })
  })
})

function plan() {
  return {
    product: 'ai',
    name: 'Pro',
    currency: 'EUR',
    interval: 'month',
    baseFee: '20.00',
    charges: [{ key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.50', per: 1000 } }],
    entitlements: [{ feature: 'tokens', limit: 1000 }, { feature: 'sso' }, { feature: 'region', value: { allowed: ['eu', 'us'] } }],
  }
}

function charge(change: Json = {}) {
  return { key: 'c', feature: 'tokens', price: { model: 'flat', unitAmount: '1' }, ...change }
}
