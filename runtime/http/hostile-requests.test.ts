import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TenantKey } from '../../domain/identity.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { PriceSchema } from '../../schemas/http/price.ts'
import { systemClock } from '../process/system-clock.ts'
import type { ConnectionBounds } from './connections.ts'
import { createHttpApp } from './http-app.ts'
import { HTTP_BOUNDS } from './http-bounds.ts'

const MiB = 1_048_576

let app: HttpApp
let sockets: Socket[] = []
beforeEach(() => start({ connectionsMax: 8, bodyCheckMs: 100, bodyBytesPerSecondMin: 10_000 }))
afterEach(stop)

async function start(connections: Partial<ConnectionBounds>): Promise<void> {
  app = createHttpApp({
    findPrincipal: (secret) =>
      secret === 'good' || secret === 'other' ? { keyId: secret, tenant: secret as TenantKey, scopes: ['admin'] } : null,
    idempotency: { claim: async () => null, save: async () => undefined, release: async () => undefined },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 1_048_576,
    connections,
  })
  app.register(async (routes) => {
    const body = Type.Object({
      price: Type.Optional(PriceSchema),
      prices: Type.Optional(Type.Array(PriceSchema)),
      name: Type.Optional(Type.String()),
    })
    routes.post('/v1/things', { config: { scope: 'admin' }, schema: { body } }, async () => ({ ok: true }))
    const querystring = Type.Object({ limit: Type.Optional(Type.Integer()), key: Type.Optional(Type.Array(Type.String({ maxLength: 9 }))) })
    routes.get('/v1/things/:key', { config: { scope: 'admin' }, schema: { querystring } }, async () => ({ ok: true }))
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
}

async function stop(): Promise<void> {
  for (const socket of sockets) socket.destroy()
  sockets = []
  app.server.closeAllConnections()
  await app.close()
}

function open(): Socket {
  const socket = connect({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  sockets.push(socket)
  return socket
}
const headOf = (contentLength: number, key = 'good') =>
  `POST /v1/things HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${contentLength}\r\n\r\n`
/** All that comes until the server ends the connection, and be it in the middle of what we send. */
async function textOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'close')
  return text
}

describe('a body that trickles', () => {
  test('is ended with 408, and what waits for its next request is not', async () => {
    const idle = open()
    idle.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(idle, 'data')
    const slow = open()
    slow.write(`${headOf(5_000)}{`)
    const trickle = setInterval(() => slow.write(' '), 20)
    const text = await textOf(slow)
    clearInterval(trickle)
    expect(text).toMatch(/^HTTP\/1.1 408 /)
    expect(text).toContain('"code":"body_too_slow"')
    idle.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(String(await once(idle, 'data'))).toMatch(/^HTTP\/1.1 200 /)
  })

  test('is read to its end when it brings what it must', async () => {
    const steady = open()
    const body = JSON.stringify({ name: 'x'.repeat(20_000) })
    steady.write(headOf(body.length))
    for (let at = 0; at < body.length; at += 2_000) {
      steady.write(body.slice(at, at + 2_000))
      await systemClock.sleep(60)
    }
    expect(String(await once(steady, 'data'))).toMatch(/^HTTP\/1.1 200 /)
  })
})

test('one address has half of the connections; one more is told so, and one that ends makes room', async () => {
  const taken = Array.from({ length: 4 }, open)
  await Promise.all(taken.map((socket) => once(socket, 'connect')))
  const text = await textOf(open())
  expect(text).toMatch(/^HTTP\/1.1 503 /)
  expect(text).toContain('"code":"too_many_connections"')
  taken[0]?.destroy()
  await vi.waitFor(async () => {
    const next = open()
    next.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await textOf(next)).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('time is bounded', () => {
  test.each([
    { name: 'headers that do not come', bounds: { headersMs: 100 }, sent: 'GET /healthz HTTP/1.1\r\nHost: a\r\n' },
    { name: 'a body that does not come', bounds: { headersMs: 50, requestMs: 100 }, sent: headOf(100) },
  ])('$name: 408', async ({ bounds, sent }) => {
    await stop()
    await start({ ...bounds, timeoutsCheckMs: 50 })
    const socket = open()
    socket.write(sent)
    const text = await textOf(socket)
    expect(text).toMatch(/^HTTP\/1.1 408 /)
    expect(text).toContain('"code":"request_timeout"')
  })

  test('a connection between requests is ended', async () => {
    await stop()
    await start({ idleMs: 100 })
    const socket = open()
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await textOf(socket)).toMatch(/^HTTP\/1.1 200 /)
  })
})

test('bodies held at once are shared: a key at its third is told so, and another tenant is taken', async () => {
  await stop()
  await start({ connectionsMax: 128 })
  const bytes = MiB - 1
  const most = Math.floor(HTTP_BOUNDS.bodyBytes.most / 3 / bytes)
  const body = Buffer.alloc(bytes - 1, ' ')
  const held: Socket[] = []
  const received: Socket[] = []
  app.server.on('connection', (socket) => received.push(socket))
  for (let n = 0; n < most; n++) {
    const socket = open()
    socket.write(headOf(bytes))
    socket.write(body)
    held.push(socket)
  }
  const answers = held.map((socket) => new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(String(chunk)))))
  await vi.waitFor(() => expect(received.reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBeGreaterThan(most * body.length), 10_000)
  const next = open()
  next.write(headOf(bytes))
  next.write(body)
  const refused = String(await once(next, 'data'))
  expect(refused).toContain('"code":"overloaded"')
  expect(refused).toContain('of this key hold')
  const more = open()
  more.write(headOf(bytes, 'other'))
  more.write(body)
  more.write('{')
  expect(String(await once(more, 'data'))).toMatch(/^HTTP\/1.1 400 /)
  for (const socket of held) socket.write('{')
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 400 /)
})

const KEYS = Array.from({ length: 40_000 }, (_, n) => `"k${n}":1`)
const post = (payload: string, more: Record<string, string> = {}) => ({
  method: 'POST' as const,
  url: '/v1/things',
  headers: { authorization: 'Bearer good', 'content-type': 'application/json', ...more },
  payload,
})
const get = (url: string, headers: Record<string, string> = {}) => ({
  method: 'GET' as const,
  url,
  headers: { authorization: 'Bearer good', ...headers },
})

/** 5 ms each, and ten times that for a machine that does much else. Cheap ones are all that is not a whole body of 1 MiB. */
const CPU_MS_MAX = 50

describe('what is hostile costs next to nothing', () => {
  test.each([
    { name: 'a key among blanks', request: get('/v1/things/a', { authorization: `Bearer a${' '.repeat(15_500)}b` }), status: 401 },
    { name: 'blanks without a key', request: get('/v1/things/a', { authorization: ' '.repeat(15_500) }), status: 401 },
    { name: 'a long key', request: get('/v1/things/a', { authorization: `Bearer ${'a'.repeat(15_500)}` }), status: 401 },
    { name: 'a content type of parameters', request: post('{}', { 'content-type': `application/json${'; a=b'.repeat(3_000)}` }) },
    { name: 'a content type of blanks', request: post('{}', { 'content-type': `application/json;${' '.repeat(15_000)}x` }) },
    { name: 'an idempotency key', request: post('{}', { 'idempotency-key': 'a'.repeat(15_000) }) },
    { name: 'a path of slashes', request: get(`/v1${'/'.repeat(15_000)}`), status: 404 },
    { name: 'a path of segments', request: get(`/v1${'/things'.repeat(2_000)}`), status: 404 },
    { name: 'a long segment', request: get(`/v1/things/${'a'.repeat(15_000)}`) },
    { name: 'an encoded segment', request: get(`/v1/things/${'%2F'.repeat(5_000)}`) },
    { name: 'a segment that is no encoding', request: get(`/v1/things/${'%f'.repeat(5_000)}`), status: 400 },
    { name: 'many parameters', request: get(`/v1/things/a?${'a=b&'.repeat(3_500)}`), status: 400 },
    { name: 'many wrong values of one parameter', request: get(`/v1/things/a?${'key=abcdefghijkl&'.repeat(900)}`), status: 400 },
    { name: 'a number of many digits', request: get(`/v1/things/a?limit=${'9'.repeat(15_000)}`) },
    { name: 'brackets', request: post('['.repeat(MiB)), status: 400, code: 'body_too_deep' },
    { name: 'brackets behind a byte order mark', request: post(`\ufeff${'['.repeat(MiB - 3)}`), status: 400, code: 'body_too_deep' },
    { name: 'objects in objects', request: post('{"a":'.repeat(MiB / 5)), status: 400, code: 'body_too_deep' },
    { name: 'a wide array', request: post(`[${'0,'.repeat(MiB / 2 - 2)}0]`), status: 413, code: 'body_too_wide' },
    { name: 'an array of objects', request: post(`{"prices":[${'{},'.repeat(MiB / 4)}{}]}`), status: 413, code: 'body_too_wide' },
    { name: 'many members', request: post(`{${[...KEYS, ...KEYS].join()}}`), status: 413, code: 'body_too_wide' },
    { name: 'a body of the largest size and one byte', request: post(' '.repeat(MiB + 1)), status: 413, code: 'payload_too_large' },
    { name: 'many unknown members', request: post(`{${KEYS.slice(0, 5_000).join()}}`) },
    {
      name: 'many wrong prices',
      request: post(`{"prices":[${'{"model":"tiered"},'.repeat(5_000)}{}]}`),
      status: 400,
      code: 'invalid_request',
    },
    {
      name: 'some wrong prices',
      request: post(`{"prices":[${'{"model":"tiered"},'.repeat(200)}{}]}`),
      status: 400,
      code: 'invalid_request',
    },
    { name: 'a price of digits', request: post(`{"price":{"model":"flat","unitAmount":"${'9'.repeat(500_000)}"}}`) },
    { name: 'a price of zeros and an x', request: post(`{"price":{"model":"flat","unitAmount":"${'0'.repeat(500_000)}x"}}`) },
    { name: 'a poisoned member', request: post(`{"__proto__":{${KEYS.slice(0, 5_000).join()}}}`), status: 400, code: 'invalid_json' },
    { name: 'escapes', request: post(`{"name":"${'\\u0041'.repeat(150_000)}"}`) },
  ] as const)('$name', async ({ request, ...expected }) => {
    // The first of a kind compiles its schema.
    await app.inject(request)
    let cpuMs = Number.POSITIVE_INFINITY
    for (let n = 0; n < 3; n++) {
      const before = process.cpuUsage()
      const answer = await app.inject(request)
      const { user, system } = process.cpuUsage(before)
      cpuMs = Math.min(cpuMs, (user + system) / 1_000)
      expect(answer.statusCode).toBeLessThan(500)
      if ('status' in expected) expect(answer.statusCode).toBe(expected.status)
      if ('code' in expected) expect(answer.json().code).toBe(expected.code)
    }
    expect(cpuMs).toBeLessThan(CPU_MS_MAX)
  })
})

test('a body of 300,000 bytes in pieces of one byte costs its bytes', async () => {
  const { arrayBuffers } = process.memoryUsage()
  const socket = open()
  socket.write(headOf(300_000).replace('Content-Length: 300000', 'Transfer-Encoding: chunked'))
  socket.write('1\r\n \r\n'.repeat(300_000))
  socket.write('2\r\n{}\r\n0\r\n\r\n')
  expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 200 /)
  expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(16 * MiB)
})
