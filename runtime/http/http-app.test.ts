import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IdempotencyStore } from '../../adapters/database/idempotency/idempotency-store.ts'
import { Fault } from '../../base/fault.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { Principal } from '../../domain/principal.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import { DecimalInputSchema, type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { systemClock } from '../process/system-clock.ts'
import { createHttpApp, type HttpAppOptions } from './http-app.ts'

const principals = new Map<string, Principal>([
  ['reader', { keyId: 'k1', tenant: 'default' as TenantKey, scopes: ['read'] }],
  ['boss', { keyId: 'k2', tenant: 'default' as TenantKey, scopes: ['admin'] }],
])
const reader = { authorization: 'Bearer reader' }
let made = 0

function createMemoryIdempotency(): IdempotencyStore {
  const answers = new Map<string, { requestHash: string; answer: { status: number; body: string } | null }>()
  return {
    async claim(_tenant, key, requestHash) {
      const known = answers.get(key)
      if (known === undefined) {
        answers.set(key, { requestHash, answer: null })
        return null
      }
      if (known.requestHash !== requestHash) return refuse('idempotency_key_reused', {})
      return known.answer ?? refuse('idempotency_key_in_use', {})
    },
    async save(_tenant, key, answer) {
      const known = answers.get(key)
      if (known !== undefined) known.answer = answer
    },
    async release(_tenant, key) {
      answers.delete(key)
    },
  }
}

async function thingRoutes(app: HttpApp): Promise<void> {
  app.get(
    '/v1/things/:key',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['things'],
        params: Type.Object({ key: Type.String() }),
        querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })) }),
        response: { 200: Type.Object({ key: Type.String(), limit: Type.Optional(Type.Integer()) }), 404: ProblemSchema },
      },
    },
    async (request) => {
      const { key } = request.params
      if (key === 'refused') throw new RefusalError(refuse('meter_backfilling', { meter: 'tokens' }))
      if (key === 'down') throw new Fault('log_unavailable', 'disk gone: /secret/path', { canRetry: true, publicText: 'The log is away.' })
      if (key === 'broken') throw new Fault('log_corrupt', 'bad page 7', { canRetry: false, publicText: 'The log is broken.' })
      if (key === 'bug') throw new Error('invariant broken: secret')
      return { key, ...request.query }
    },
  )
  app.get('/v1/bare', async () => ({ bare: true }))
  app.post('/v1/bare', async ({ body }) => ({ body: body ?? 'none' }))
  const optional = Type.Object({ reason: Type.Optional(Type.String()) })
  app.post('/v1/optional', { schema: { body: optional } }, async ({ body }) => ({ reason: body.reason ?? 'none' }))
  app.put('/v1/optional', { schema: { body: optional } }, async ({ body }) => ({ reason: body.reason ?? 'none' }))
  app.delete('/v1/bare', async ({ body }) => ({ body: body ?? 'none' }))
  const price = Type.Union([
    Type.Object({ model: Type.Literal('flat'), unitAmount: DecimalInputSchema }, { additionalProperties: false }),
    Type.Object(
      { model: Type.Literal('tiered'), tiers: Type.Array(Type.Object({ upTo: Type.String() })) },
      { additionalProperties: false },
    ),
  ])
  app.post(
    '/v1/things',
    { config: { scope: 'admin', isIdempotent: true }, schema: { body: Type.Object({ price, mode: Type.Optional(Type.String()) }) } },
    async (request, reply) => {
      if (request.body.mode === 'refuse') throw new RefusalError(refuse('meter_in_use', { meter: 'a', feature: 'b' }))
      made += 1
      return reply.code(201).send({ made })
    },
  )
}

const options = (): HttpAppOptions => ({
  findPrincipal: (secret) => principals.get(secret) ?? null,
  idempotency: createMemoryIdempotency(),
  clock: { ...systemClock, now: () => 0 as InstantMs },
  log: pino({ level: 'silent' }),
  registry: new Registry(),
  bodyBytesMax: 50_000,
})

let app: HttpApp
beforeAll(async () => {
  app = createHttpApp(options())
  app.register(thingRoutes)
  await app.ready()
})
afterAll(() => app.close())

const flat = { price: { model: 'flat', unitAmount: '1' } }
const boss = (payload: unknown, more: Record<string, string> = {}) => ({
  method: 'POST' as const,
  url: '/v1/things',
  headers: { authorization: 'Bearer boss', 'content-type': 'application/json', ...more },
  payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
})

test('answers that become ready in one turn of the event loop go out at its end, in their order', async () => {
  const steps: string[] = []
  const turn = createHttpApp(options())
  turn.addHook('preHandler', (request, _reply, done) => {
    steps.push(`handled ${request.url}`)
    done()
  })
  turn.addHook('onResponse', (request, _reply, done) => {
    steps.push(`sent ${request.url}`)
    done()
  })
  const paths = ['/healthz?1', '/healthz?2', '/healthz?3']
  const answers = await Promise.all(paths.map((url) => turn.inject({ url })))
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
  expect(steps).toEqual([...paths.map((path) => `handled ${path}`), ...paths.map((path) => `sent ${path}`)])
  await turn.close()
})

describe('a body of nothing is no body', () => {
  test.each([
    { method: 'POST' as const, payload: '' },
    { method: 'POST' as const, payload: '\u{feff}' },
    { method: 'DELETE' as const, payload: '' },
  ])('$method $payload', async ({ method, payload }) => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      const answer = await app.inject({
        method,
        url: '/v1/bare',
        headers: { 'content-type': type, 'content-length': `${Buffer.byteLength(payload)}` },
        payload,
      })
      expect({ status: answer.statusCode, body: answer.json() }).toEqual({ status: 200, body: { body: 'none' } })
    }
  })

  test.each([undefined, '', '\u{feff}', '{}'])('%j is an object without properties where none is required', async (payload) => {
    const type = payload === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await app.inject({ method: 'POST', url: '/v1/optional', headers: type, ...(payload === undefined ? {} : { payload }) })
    expect({ status: answer.statusCode, body: answer.json() }).toEqual({ status: 200, body: { reason: 'none' } })
  })

  test('a PUT without a body takes nothing away', async () => {
    expect((await app.inject({ method: 'PUT', url: '/v1/optional' })).statusCode).toBe(400)
  })

  test('a body that lacks what is required is still refused', async () => {
    expect((await app.inject({ ...boss(''), payload: '' })).statusCode).toBe(400)
  })

  test('a byte order mark before a body is passed over', async () => {
    expect((await app.inject(boss(`\u{feff}${JSON.stringify(flat)}`))).statusCode).toBe(201)
  })
})

test('a parameter that is not one of the route is named', async () => {
  const { errors } = (await app.inject({ url: '/v1/things/a?limits=1', headers: reader })).json()
  expect(errors).toEqual([{ field: 'limits', code: 'unknown_parameter', detail: "there is no parameter 'limits'" }])
})

test('the log line of a refusal names the trace that the request is part of', async () => {
  const lines: Record<string, unknown>[] = []
  const traced = createHttpApp({ ...options(), log: pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) }) })
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const refusedWith = async (traceparent: string) => {
    await traced.inject({ url: '/v1/nothing', headers: { traceparent } })
    return lines.pop()
  }
  expect(await refusedWith(`00-${traceId}-00f067aa0ba902b7-01`)).toMatchObject({ code: 'not_found', traceId, spanId: '00f067aa0ba902b7' })
  expect(await refusedWith(`01-${traceId}-00f067aa0ba902b7-01-more`)).toMatchObject({ traceId })
  for (const wrong of [
    '',
    'x',
    `00-${traceId}-00f067aa0ba902b7-01-more`,
    `ff-${traceId}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
  ]) {
    expect(await refusedWith(wrong)).not.toHaveProperty('traceId')
  }
  await traced.close()
})

describe('every error is a problem of its own', () => {
  test.each([
    { name: 'no key', request: { url: '/v1/things/a' }, status: 401, code: 'missing_key' },
    { name: 'wrong key', request: { url: '/v1/things/a', headers: { authorization: 'Bearer x' } }, status: 401, code: 'invalid_key' },
    { name: 'no bearer', request: { url: '/v1/things/a', headers: { authorization: 'Basic x' } }, status: 401, code: 'missing_key' },
    { name: 'no scope', request: { ...boss(flat), headers: reader }, status: 403, code: 'missing_scope' },
    { name: 'refusal', request: { url: '/v1/things/refused', headers: reader }, status: 409, code: 'meter_backfilling', retryAfter: '2' },
    { name: 'fault', request: { url: '/v1/things/down', headers: reader }, status: 503, code: 'log_unavailable', retryAfter: '2' },
    { name: 'final fault', request: { url: '/v1/things/broken', headers: reader }, status: 500, code: 'log_corrupt' },
    { name: 'bug', request: { url: '/v1/things/bug', headers: reader }, status: 500, code: 'internal_error' },
    { name: 'unknown path', request: { url: '/v1/nothing', headers: reader }, status: 404, code: 'not_found' },
    { name: 'wrong method', request: { method: 'PATCH' as const, url: '/v1/things/a%2Fb' }, status: 405, code: 'method_not_allowed' },
    { name: 'bad url', request: { url: '/v1/things/%zz', headers: reader }, status: 400, code: 'invalid_url' },
    { name: 'not JSON', request: boss('{"a":'), status: 400, code: 'invalid_json' },
    { name: 'empty', request: boss(''), status: 400, code: 'invalid_json' },
    { name: 'a byte order mark alone', request: boss('\u{feff}'), status: 400, code: 'invalid_json' },
    { name: 'unknown parameter', request: { url: '/v1/things/a?limits=1', headers: reader }, status: 400, code: 'invalid_request' },
    { name: 'a parameter where none is', request: { url: '/v1/bare?search=x' }, status: 400, code: 'invalid_request' },
    { name: 'a parameter that every object has', request: { url: '/v1/bare?constructor=x' }, status: 400, code: 'invalid_request' },
    { name: '__proto__', request: boss('{"__proto__":{"a":1}}'), status: 400, code: 'invalid_json' },
    { name: 'text', request: boss('hello', { 'content-type': 'text/plain' }), status: 415, code: 'unsupported_media_type' },
    { name: 'too large', request: boss(`{"mode":"${'x'.repeat(50_000)}"}`), status: 413, code: 'payload_too_large' },
    {
      name: 'nested without end',
      request: boss(`{"price":${'['.repeat(20_000)}${']'.repeat(20_000)}}`),
      status: 400,
      code: 'body_too_deep',
    },
    { name: 'query', request: { url: '/v1/things/a?limit=11', headers: reader }, status: 400, code: 'invalid_request' },
  ])('$name', async ({ request, status, code, retryAfter }) => {
    const answer = await app.inject(request)
    expect(answer.json()).toMatchObject({ status, code, type: `urn:tollgate:problem:${code}` })
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(answer.headers['x-request-id']).toBe(answer.json().requestId)
    expect(answer.headers['retry-after']).toBe(retryAfter)
    expect(answer.body).not.toContain('secret')
  })

  test('a wrong method names the right ones', async () => {
    const answer = await app.inject({ method: 'DELETE', url: '/v1/things/a' })
    expect(answer.headers.allow).toBe('GET, HEAD')
  })
})

describe('what Node would answer without a body is a problem too', () => {
  test.each([
    { name: 'no host', head: 'GET /healthz HTTP/1.1\r\n\r\n', status: 400, code: 'missing_host' },
    { name: 'an expectation', head: 'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n', status: 417, code: 'unmet_expectation' },
    {
      name: 'headers beyond 16 KiB',
      head: `GET /healthz HTTP/1.1\r\nHost: a\r\nA: ${'a'.repeat(16_384)}\r\n\r\n`,
      status: 431,
      code: 'headers_too_large',
    },
    { name: 'no HTTP', head: 'hello\r\n\r\n', status: 400, code: 'bad_request' },
  ])('$name', async ({ head, status, code }) => {
    if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const socket = connect({ port, host: '127.0.0.1' })
    socket.write(head)
    const text = (await once(socket, 'data')).toString()
    socket.destroy()
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(text).toMatch(/content-type: application\/problem\+json/i)
    expect(text).toMatch(/x-request-id: [0-9a-f]{16}-\w+\r\n/i)
    expect(text).toContain(`"code":"${code}"`)
  })
})

describe('what is wrong in a request is named', () => {
  test.each([
    {
      name: 'limit',
      body: { price: flat.price, mode: 5 },
      errors: [{ field: 'mode', code: 'invalid_type', detail: 'mode must be string, was 5' }],
    },
    { name: 'missing', body: {}, errors: [{ field: 'price', code: 'missing' }] },
    { name: 'branch', body: { price: { model: 'flat' } }, errors: [{ field: 'price.unitAmount', code: 'missing' }] },
    {
      name: 'branch in depth',
      body: { price: { model: 'tiered', tiers: [{ upTo: '1' }, { upTo: 2 }] } },
      errors: [{ field: 'price.tiers[1].upTo', code: 'invalid_type' }],
    },
    {
      name: 'constant',
      body: { price: { model: 'odd' } },
      errors: [{ field: 'price.model', detail: 'price.model must be one of flat, tiered, was "odd"' }],
    },
    {
      name: 'either',
      body: { price: { model: 'flat', unitAmount: [] } },
      errors: [{ detail: 'price.unitAmount must be string or number, was []' }],
    },
    { name: 'unknown', body: { price: { ...flat.price, per: 1 } }, errors: [{ field: 'price.per', code: 'unknown_field' }] },
  ])('$name', async ({ body, errors }) => {
    const answer = await app.inject(boss(body))
    expect(answer.json().errors).toHaveLength(errors.length)
    expect(answer.json()).toMatchObject({ code: 'invalid_request', errors })
  })
})

describe('Idempotency-Key', () => {
  test('the same key and body is answered as before, another body is refused', async () => {
    const first = await app.inject(boss(flat, { 'idempotency-key': 'i1' }))
    const again = await app.inject(boss(flat, { 'idempotency-key': 'i1' }))
    expect([again.statusCode, again.body]).toEqual([201, first.body])
    const other = await app.inject(boss({ ...flat, mode: 'other' }, { 'idempotency-key': 'i1' }))
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency_key_reused'])
  })

  test('a refusal created nothing: the key may try again', async () => {
    const madeBefore = made
    expect((await app.inject(boss({ ...flat, mode: 'refuse' }, { 'idempotency-key': 'i2' }))).statusCode).toBe(409)
    expect((await app.inject(boss(flat, { 'idempotency-key': 'i2' }))).json()).toEqual({ made: madeBefore + 1 })
  })
})

test.each(['/healthz', '/openapi.json', '/v1/things/a', '/v1/nothing', '/docs/errors'])(
  '%s is answered with the id of its request',
  async (url) => {
    const [one, two] = [await app.inject({ url, headers: reader }), await app.inject({ url, headers: reader })]
    expect(one.headers['x-request-id']).toMatch(/^[0-9a-f]{16}-\w+$/)
    expect(one.headers['x-request-id']).not.toBe(two.headers['x-request-id'])
  },
)

test('a key with a slash is one path segment', async () => {
  expect((await app.inject({ url: '/v1/things/team%2Fa?limit=3', headers: reader })).json()).toEqual({ key: 'team/a', limit: 3 })
})

test('the API describes itself', async () => {
  const openapi = (await app.inject('/openapi.json')).json()
  expect(openapi.openapi).toBe('3.1.0')
  const operation = openapi.paths['/v1/things/{key}'].get
  expect(operation.security).toEqual([{ bearer: [] }])
  expect(Object.keys(operation.responses).sort()).toEqual(['200', '401', '403', '404'])
  expect(Object.keys(operation.responses['404'].content)).toEqual(['application/problem+json'])
  expect(openapi.paths['/healthz']).toBeDefined()
  const page = await app.inject('/docs')
  expect(page.body).toContain('<details id="getHealth"')
  expect(page.body.match(/<h2 id="things">/g)).toHaveLength(1)
  expect(page.body).not.toMatch(/https?:|<script|upgrade-insecure/)
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/)
  expect((await app.inject('/openapi.yaml')).body).toMatch(/^openapi: 3\.1\.0$/m)
})

test.each([
  ['/', '*/*', 'docs'],
  ['/docs/', '*/*', '../docs'],
  ['/', 'text/html,application/xhtml+xml', 'console'],
])('%s leads a program to the reference and a browser to the console, on any host', async (url, accept, location) => {
  const answer = await app.inject({ url, headers: { host: 'tollgate.internal', accept } })
  expect([answer.statusCode, answer.headers.location]).toEqual([302, location])
})

describe('documents are made and compressed once', () => {
  test.each(['/docs', '/docs/errors', '/openapi.json', '/openapi.yaml'])('%s', async (url) => {
    const plain = await app.inject(url)
    expect(plain.headers['content-encoding']).toBeUndefined()
    for (const { accepted, encoding, unpack } of [
      { accepted: 'gzip, deflate, br', encoding: 'br', unpack: brotliDecompressSync },
      { accepted: 'gzip', encoding: 'gzip', unpack: gunzipSync },
      { accepted: 'br;q=0, gzip;q=0.5', encoding: 'gzip', unpack: gunzipSync },
    ]) {
      const packed = await app.inject({ url, headers: { 'accept-encoding': accepted } })
      expect(packed.headers).toMatchObject({ 'content-encoding': encoding, vary: 'Accept-Encoding' })
      expect(unpack(packed.rawPayload).toString()).toBe(plain.body)
      expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2)
      const headers = { 'accept-encoding': accepted, 'if-none-match': `"other", ${packed.headers.etag}` }
      const again = await app.inject({ url, headers })
      expect([again.statusCode, again.body]).toEqual([304, ''])
    }
    expect((await app.inject({ url, headers: { 'if-none-match': '"other"' } })).statusCode).toBe(200)
  })
})

describe('routes of operators', () => {
  test.each([
    { url: '/metrics', key: null, status: 401 },
    { url: '/metrics', key: 'reader', status: 403 },
    { url: '/metrics', key: 'boss', status: 200 },
    { url: '/healthz', key: null, status: 200 },
    { url: '/docs', key: null, status: 200 },
  ])('$url with key $key is $status', async ({ url, key, status }) => {
    const headers = key === null ? {} : { authorization: `Bearer ${key}` }
    expect((await app.inject({ url, headers })).statusCode).toBe(status)
  })

  test('the reference may be theirs alone', async () => {
    const closed = createHttpApp({ ...options(), docsReaders: 'operators' })
    for (const url of ['/', '/docs', '/docs/errors', '/openapi.json', '/openapi.yaml']) {
      expect([url, (await closed.inject(url)).statusCode]).toEqual([url, 401])
    }
    await closed.close()
  })
})

test('every code is in the error reference, for people and for programs', async () => {
  const page = await app.inject('/docs/errors')
  expect(page.headers['content-type']).toContain('text/html')
  expect(page.body).toContain('<tr id="missing_key"><td><code>missing_key</code></td><td>401</td>')
  const { 'x-errors': sections } = (await app.inject('/openapi.json')).json()
  const entries = sections.flatMap(({ entries }: { entries: { code: string }[] }) => entries)
  expect(entries).toContainEqual(expect.objectContaining({ code: 'too_many_events', status: 413 }))
})

test('an error and the log line of it are of one request: id, code, tenant, key', async () => {
  const lines: string[] = []
  const logged = createHttpApp({ ...options(), log: pino({ level: 'info' }, { write: (line) => void lines.push(line) }) })
  logged.register(thingRoutes)
  const problem = (await logged.inject({ url: '/v1/things/refused', headers: reader })).json()
  await logged.close()
  const line = lines.map((text) => JSON.parse(text)).find(({ msg }) => msg === 'request refused')
  expect(line).toMatchObject({ requestId: problem.requestId, code: 'meter_backfilling', tenant: 'default', keyId: 'k1' })
})

test('metrics count by route, not by URL', async () => {
  await app.inject({ url: '/v1/things/some-customer', headers: reader })
  const { body } = await app.inject({ url: '/metrics', headers: { authorization: 'Bearer boss' } })
  expect(body).toContain('tollgate_http_request_seconds_count{method="GET",route="/v1/things/:key",status="200"}')
  expect(body).not.toContain('some-customer')
})
