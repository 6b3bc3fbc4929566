import { createSeededRandom, type SeededRandom } from '../support/seeded-random.ts'
import {
  answered,
  bodyOf,
  type Call,
  exchangeOf,
  type RequestSources,
  SELDOM,
  SELDOM_SHARE,
  usualHeaders,
  validCall,
  type WireCall,
} from './call.ts'
import { generatedInstant, generatedKey, generatedValue } from './generated-value.ts'
import { mutatedBytes, mutatedJson, randomBytes } from './mutated-json.ts'
import { oddEvents } from './odd-events.ts'
import { noise, oddFraming } from './odd-framing.ts'
import { ODD_HEADERS, ODD_JSON, ODD_STRINGS } from './odd-values.ts'
import type { Operation } from './openapi-document.ts'

export type HostileRequest = WireCall & { readonly kind: string }

export type HostileRequests = (index: number) => HostileRequest

/** Each request follows from the seed and its number alone. */
export function createHostileRequests(sources: RequestSources): HostileRequests {
  const makers = MAKERS.flatMap(({ weight, kind, make }) => Array.from({ length: weight }, () => ({ kind, make })))
  return (index) => {
    const random = createSeededRandom(`${sources.seed}/${index}`)
    const { kind, make } = random.pick(makers)
    return { kind, ...make(random, sources) }
  }
}

const MAKERS: readonly { kind: string; weight: number; make: (random: SeededRandom, sources: RequestSources) => WireCall }[] = [
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

/** Mostly a call with a body, as only the query of the others can change. */
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

function oddPath(random: SeededRandom, sources: RequestSources): WireCall {
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
function oddHeaders(random: SeededRandom, sources: RequestSources): WireCall {
  const call = validCall(random, sources)
  const body = bodyOf(call.json)
  const usual = usualHeaders(call, body)
  const odd = Array.from({ length: random.between(1, 2) }, () => random.pick(ODD_HEADERS))
  const names = new Set(odd.map(([name]) => name))
  const kept = random.chance(0.7) ? usual.filter(([name]) => !names.has(name)) : usual
  const headers = random.chance(0.1) ? [...kept, random.pick(usual), ...odd] : [...kept, ...odd]
  const dropped = random.chance(0.1) ? headers.filter(([name]) => name !== random.pick(['Host', 'Content-Type', 'Authorization'])) : headers
  // A doubled length, an upgrade or a body after `Expect` may end the connection, so such a request gets its own.
  return exchangeOf(call, dropped, body, 'own')
}

function oddBytes(random: SeededRandom, sources: RequestSources): WireCall {
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

/** Several requests in one write: answered in their order, whatever one of them is. */
function pipelined(random: SeededRandom, sources: RequestSources): WireCall {
  const calls = Array.from({ length: random.between(2, 8) }, () => answered(mutatedCall(changeableCall(random, sources), random)))
  return {
    route: '-',
    bytes: [Buffer.concat(calls.flatMap(({ bytes }) => bytes))],
    isHead: calls.flatMap(({ isHead }) => isHead),
    connection: 'kept',
    mayGoUnanswered: false,
  }
}

function brokenOff(random: SeededRandom, sources: RequestSources): WireCall {
  const call = validCall(random, sources)
  const whole = Buffer.concat([...answered(call).bytes])
  const connection = random.pick(['closed', 'cut'] as const)
  return { route: call.route, bytes: [whole.subarray(0, random.below(whole.length))], isHead: [], connection, mayGoUnanswered: true }
}
