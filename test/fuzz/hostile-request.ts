import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { createSeededRandom, type SeededRandom } from '../crash/seeded-random.ts'
import { generatedInstant, generatedKey, generatedValue } from './generated-value.ts'
import { mutatedBytes, mutatedJson, randomBytes } from './mutated-json.ts'
import { ODD_HEADERS, ODD_JSON, ODD_STRINGS } from './odd-values.ts'
import type { Operation } from './openapi-document.ts'
import { ROUTE_SCOPES } from './route-scopes.ts'
import type { TenantWorld } from './tenant-world.ts'
import type { Exchange } from './wire-client.ts'

export type HostileRequest = Exchange & {
  readonly kind: string
  /** As the OpenAPI document names it; `-` when nobody can say. */
  readonly route: string
  /** For what is no request, or was broken off, closing is an answer. */
  readonly mayGoUnanswered: boolean
}

export type HostileRequests = (index: number) => HostileRequest

export type RequestSources = {
  readonly seed: number
  readonly operations: readonly Operation[]
  /** The caller's own, and one whose ids it has got hold of. */
  readonly worlds: { readonly own: TenantWorld; readonly other: TenantWorld }
  readonly keys: readonly string[]
}

/** Each request follows from the seed and its number alone. */
export function createHostileRequests(sources: RequestSources): HostileRequests {
  const makers = MAKERS.flatMap(({ weight, kind, make }) => Array.from({ length: weight }, () => ({ kind, make })))
  return (index) => {
    const random = createSeededRandom(`${sources.seed}/${index}`)
    const { kind, make } = random.pick(makers)
    return { kind, ...make(random, sources) }
  }
}

type Made = Omit<HostileRequest, 'kind'>
type Headers = readonly (readonly [string, string])[]
type Call = { readonly method: string; readonly target: string; readonly route: string; readonly json: unknown; readonly key: string }

const MAKERS: readonly { kind: string; weight: number; make: (random: SeededRandom, sources: RequestSources) => Made }[] = [
  { kind: 'valid', weight: 6, make: (random, sources) => answered(validCall(random, sources)) },
  { kind: 'mutated', weight: 34, make: (random, sources) => answered(mutatedCall(changeableCall(random, sources), random)) },
  { kind: 'generated', weight: 16, make: (random, sources) => answered(generatedCall(random, sources)) },
  { kind: 'path', weight: 7, make: oddPath },
  { kind: 'headers', weight: 11, make: oddHeaders },
  { kind: 'bytes', weight: 9, make: oddBytes },
  { kind: 'events', weight: 8, make: oddEvents },
  { kind: 'framing', weight: 3, make: oddFraming },
  { kind: 'noise', weight: 2, make: noise },
  { kind: 'pipelined', weight: 2, make: pipelined },
  { kind: 'broken off', weight: 2, make: brokenOff },
]

/** Each of these leaves more to do for every later one, or, like the metrics, takes no input and much time; so a run has few. */
const SELDOM = new Set([
  'POST /v1/keys',
  'PUT /v1/meters/{key}',
  'POST /v1/subscriptions',
  'POST /v1/customers/{key}/grants',
  'POST /v1/customers/{key}/balances/{feature}/reset',
  'GET /metrics',
])
const SELDOM_SHARE = 0.1

function validCall(random: SeededRandom, { worlds, keys }: RequestSources): Call {
  let row = random.pick(ROUTE_SCOPES)
  if (SELDOM.has(row.route) && !random.chance(SELDOM_SHARE)) row = random.pick(ROUTE_SCOPES.filter(({ route }) => !SELDOM.has(route)))
  const { path, body } = row.request(random.chance(0.8) ? worlds.own : worlds.other)
  return { method: methodOf(row.route), target: path, route: row.route, json: body, key: random.pick(keys) }
}

/** Mostly one with a body: of the others there is only the query to change. */
function changeableCall(random: SeededRandom, sources: RequestSources): Call {
  const wantsBody = random.chance(BODY_SHARE)
  for (;;) {
    const call = validCall(random, sources)
    if (call.json !== undefined || !wantsBody) return call
  }
}

const BODY_SHARE = 0.75

function mutatedCall(call: Call, random: SeededRandom): Call {
  let json = call.json
  for (let changes = random.between(1, 3); json !== undefined && changes > 0; changes--) json = mutatedJson(json, random)
  const target = call.json === undefined || random.chance(0.1) ? withOddQuery(call.target, random) : call.target
  return { ...call, json, target }
}

function generatedCall(random: SeededRandom, { operations, worlds, keys }: RequestSources): Call {
  const { route, method, path, query, body } = random.pick(operations)
  const ids = [worlds.own.subscription, worlds.own.grant, worlds.other.subscription, worlds.other.grant]
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(name === 'id' && random.chance(0.6) ? random.pick(ids) : generatedKey(random)),
  )
  const parameters = new URLSearchParams()
  for (const { name, schema } of query) {
    if (name === 'from' || name === 'to') parameters.append(name, generatedInstant(random))
    else if (random.chance(0.4)) parameters.append(name, String(generatedValue(schema, random)).toWellFormed())
  }
  const target = parameters.size === 0 ? filled : `${filled}?${parameters}`
  const json = body === null || (SELDOM.has(route) && !random.chance(SELDOM_SHARE)) ? undefined : generatedValue(body, random)
  return { method, target, route, json, key: random.pick(keys) }
}

function withOddQuery(target: string, random: SeededRandom): string {
  const odd = encodeURIComponent(random.pick(ODD_STRINGS).toWellFormed())
  const names = [
    'from',
    'to',
    'limit',
    'cursor',
    'window',
    'timezone',
    'groupBy',
    'filter[model]',
    'customer',
    'at',
    'version',
    'type',
    'x',
  ]
  const [path = '', query = ''] = target.split('?')
  const pairs = query.split('&').filter((pair) => pair !== '')
  const name = random.pick(names)
  switch (random.below(4)) {
    case 0:
      return `${path}?${[...pairs, `${name}=${odd}`].join('&')}`
    case 1:
      return `${path}?${pairs.map((pair) => (random.chance(0.5) ? `${pair.split('=')[0]}=${odd}` : pair)).join('&')}`
    case 2:
      return `${path}?${[...pairs, ...pairs, `${name}[]=1`, `${name}[]=2`].join('&')}`
    default:
      return `${path}?${[...pairs, `${name}=${generatedInstant(random)}`, '&&==%zz'].join('&')}`
  }
}

function oddPath(random: SeededRandom, sources: RequestSources): Made {
  const call = validCall(random, sources)
  const segments = call.target.split('?')[0]?.split('/') ?? []
  segments[random.between(1, segments.length - 1)] = random.pick([
    encodeURIComponent(random.pick(ODD_STRINGS).toWellFormed()),
    '%zz',
    '%',
    '%c3%28',
    '%00',
    '..',
    '.',
    ';',
    '',
    'x'.repeat(random.pick([128, 129, 384, 385, 9_000])),
    '%2e%2e%2f',
    '*',
    ':key',
  ])
  const method = random.chance(0.15) ? random.pick(['PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'DELETE', 'PUT']) : call.method
  return { ...answered({ ...call, method, target: segments.join('/') || '/' }), route: '-' }
}

/** One or two headers that nobody should send, or one of ours twice. */
function oddHeaders(random: SeededRandom, sources: RequestSources): Made {
  const call = validCall(random, sources)
  const body = bodyOf(call.json)
  const usual = usualHeaders(call, body)
  const odd = Array.from({ length: random.between(1, 2) }, () => random.pick(ODD_HEADERS))
  const names = new Set(odd.map(([name]) => name))
  const kept = random.chance(0.7) ? usual.filter(([name]) => !names.has(name)) : usual
  const headers = random.chance(0.1) ? [...kept, random.pick(usual), ...odd] : [...kept, ...odd]
  const dropped = random.chance(0.1) ? headers.filter(([name]) => name !== random.pick(['Host', 'Content-Type', 'Authorization'])) : headers
  // A length that is there twice, an upgrade or a body behind `Expect` may end the connection: one of its own, then.
  return exchangeOf(call, dropped, body, 'own')
}

function oddBytes(random: SeededRandom, sources: RequestSources): Made {
  const writing = sources.operations.filter(({ body }) => body !== null)
  const call = { ...validCall(random, sources), ...(random.chance(0.5) ? writeCall(random, writing) : {}) }
  const body = random.pick([
    () => Buffer.from(random.pick(ODD_JSON)),
    () => randomBytes(random, 400),
    () => mutatedBytes(bodyOf(call.json ?? { customer: 'acme', feature: 'tokens', quantity: '1' }), random),
    () => Buffer.from(JSON.stringify(call.json ?? {}).replaceAll('"', "'")),
  ])()
  return exchangeOf(call, usualHeaders({ ...call, json: '' }, body), body, 'kept')
}

function writeCall(random: SeededRandom, writing: readonly Operation[]): Pick<Call, 'method' | 'target' | 'route'> {
  const { method, path, route } = random.pick(writing)
  return { method, route, target: path.replaceAll(/\{\w+\}/g, () => generatedKey(random)) }
}

/** Bodies of events in every type and coding, whole or not. */
function oddEvents(random: SeededRandom, { keys }: RequestSources): Made {
  const events = Array.from({ length: random.pick([1, 1, 3, 40]) }, () => oddEvent(random))
  const contentType = random.pick([
    'application/json',
    'application/cloudevents+json',
    'application/cloudevents-batch+json',
    'application/x-ndjson',
  ])
  const lines = events.map((event) => JSON.stringify(event))
  const text = contentType.endsWith('ndjson') ? lines.join('\n') : events.length === 1 ? (lines[0] ?? '') : `[${lines.join(',')}]`
  const plain = random.chance(0.3) ? mutatedBytes(Buffer.from(text), random) : Buffer.from(text)
  const coding = random.pick(['identity', 'gzip', 'br', 'zstd'] as const)
  const packed = PACK[coding](plain)
  const body = random.chance(0.3) ? mutatedBytes(packed, random) : packed
  const query = random.pick(['', '', '?atomic=true', '?backfill=true', '?atomic=maybe', '?atomic=true&atomic=false'])
  const call = { method: 'POST', target: `/v1/events${query}`, route: 'POST /v1/events', json: '', key: random.pick(keys) }
  const headers: Headers = [
    ...usualHeaders({ ...call, json: undefined }, body),
    ['Content-Type', contentType],
    ['Content-Encoding', coding],
  ]
  return exchangeOf(call, headers, body, 'kept')
}

const PACK = {
  identity: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  br: (bytes: Buffer) => brotliCompressSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
} as const

function oddEvent(random: SeededRandom): unknown {
  const event = {
    id: `f-${random.below(100_000)}`,
    type: random.pick(['llm.request', 'spare', 'other']),
    customer: generatedKey(random),
    time: generatedInstant(random),
    data: { model: random.pick(['small', 'large']), input_tokens: random.below(100), output_tokens: '7.5' },
  }
  return random.chance(0.4) ? mutatedJson(event, random) : event
}

/** Lengths and chunks that lie, heads that are none. */
function oddFraming(random: SeededRandom, sources: RequestSources): Made {
  const call = validCall(random, sources)
  const body = bodyOf(call.json ?? {})
  const usual = usualHeaders(call, body).filter(([name]) => name !== 'Content-Length')
  const chunked: Headers = [...usual, ['Transfer-Encoding', 'chunked']]
  const [headers, sent] = random.pick<() => readonly [Headers, Buffer]>([
    () => [[...usual, ['Content-Length', String(body.length + 50)]], body],
    () => [[...usual, ['Content-Length', String(Math.max(0, body.length - 3))]], body],
    () => [[...usual, ['Content-Length', random.pick(['-1', '1e3', '0x10', '99999999999999999999', ' ', '1,1', '+2'])]], body],
    () => [[...usual, ['Content-Length', '5'], ['Content-Length', '6']], body],
    () => [[...chunked, ['Content-Length', String(body.length)]], chunksOf(body)],
    () => [chunked, chunksOf(body)],
    () => [chunked, chunksOf(body).subarray(0, -3)],
    () => [chunked, Buffer.concat([Buffer.from('FFFFFFFFFFFFFFFF\r\n'), body])],
    () => [chunked, Buffer.concat([Buffer.from('zz\r\n'), body])],
    () => [chunked, Buffer.concat([Buffer.from(`5;${'x'.repeat(20_000)}\r\n`), body])],
    () => [[...usual, ['Transfer-Encoding', random.pick(['gzip', 'chunked, identity', 'xchunked', 'chunked, chunked'])]], chunksOf(body)],
    () => [[...usual, ['Bad Name', 'x']], body],
    () => [[...usual, ['X', 'a\u0000b']], body],
  ])()
  return { ...exchangeOf(call, headers, sent, 'closed'), mayGoUnanswered: true }
}

function chunksOf(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}

function noise(random: SeededRandom, sources: RequestSources): Made {
  const { bytes } = answered(validCall(random, sources))
  const sent = random.pick([
    () => randomBytes(random, 600),
    () => mutatedBytes(Buffer.concat([...bytes]), random),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => Buffer.from('GET / HTTP/0.9\r\n\r\n'),
    () => Buffer.from('GET http://example.test/healthz HTTP/1.1\r\nHost: a\r\n\r\n'),
    () => Buffer.from('CONNECT example.test:443 HTTP/1.1\r\nHost: example.test\r\n\r\n'),
    () => Buffer.from('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'),
    () => Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
    () => Buffer.from(`GET /${'a'.repeat(30_000)} HTTP/1.1\r\n\r\n`),
  ])()
  return { route: '-', bytes: [sent], isHead: [], connection: 'closed', mayGoUnanswered: true }
}

/** Several in one write: answered in their order, whatever one of them is. */
function pipelined(random: SeededRandom, sources: RequestSources): Made {
  const calls = Array.from({ length: random.between(2, 8) }, () => answered(mutatedCall(changeableCall(random, sources), random)))
  return {
    route: '-',
    bytes: [Buffer.concat(calls.flatMap(({ bytes }) => bytes))],
    isHead: calls.flatMap(({ isHead }) => isHead),
    connection: 'kept',
    mayGoUnanswered: false,
  }
}

function brokenOff(random: SeededRandom, sources: RequestSources): Made {
  const call = validCall(random, sources)
  const whole = Buffer.concat([...answered(call).bytes])
  const connection = random.pick(['closed', 'cut'] as const)
  return { route: call.route, bytes: [whole.subarray(0, random.below(whole.length))], isHead: [], connection, mayGoUnanswered: true }
}

function answered(call: Call): Made {
  const body = bodyOf(call.json)
  return exchangeOf(call, usualHeaders(call, body), body, 'kept')
}

function usualHeaders({ key, json }: Pick<Call, 'key' | 'json'>, body: Buffer): Headers {
  return [
    ['Host', '127.0.0.1'],
    ['Authorization', `Bearer ${key}`],
    ...(json === undefined ? [] : ([['Content-Type', 'application/json']] as const)),
    ...(json === undefined && body.length === 0 ? [] : ([['Content-Length', String(body.length)]] as const)),
  ]
}

function exchangeOf({ method, target, route }: Call, headers: Headers, body: Buffer, connection: Exchange['connection']): Made {
  const head = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  return {
    route,
    bytes: [Buffer.concat([Buffer.from(head, 'latin1'), body])],
    isHead: [method === 'HEAD'],
    connection,
    mayGoUnanswered: false,
  }
}

function bodyOf(json: unknown): Buffer {
  return json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(json))
}

function methodOf(route: string): string {
  return route.split(' ')[0] ?? 'GET'
}
