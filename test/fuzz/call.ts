import type { SeededRandom } from '../support/seeded-random.ts'
import type { Operation } from './openapi-document.ts'
import { ROUTE_SCOPES } from './route-scopes.ts'
import type { TenantWorld } from './tenant-world.ts'
import type { Exchange } from './wire-client.ts'

/** A request before it is encoded. */
export type Call = {
  readonly method: string
  readonly target: string
  readonly route: string
  readonly json: unknown
  readonly key: string
}
export type Headers = readonly (readonly [string, string])[]

/** A request as it is sent. */
export type WireCall = Exchange & {
  /** The route's name in the OpenAPI document; `-` when unknown. */
  readonly route: string
  /** True for bytes that are no request, or an interrupted one: the server may just close. */
  readonly mayGoUnanswered: boolean
}

export type RequestSources = {
  readonly seed: number
  readonly operations: readonly Operation[]
  /** The caller's own tenant, and one whose ids it has got hold of. */
  readonly worlds: { readonly own: TenantWorld; readonly other: TenantWorld }
  readonly keys: readonly string[]
}

/** Each of these makes every later one do more work or, like the metrics, takes no input and much time; so a run has few. */
export const SELDOM = new Set([
  'POST /v1/keys',
  'PUT /v1/meters/{key}',
  'POST /v1/subscriptions',
  'POST /v1/customers/{key}/grants',
  'POST /v1/customers/{key}/balances/{feature}/reset',
  'GET /metrics',
])
export const SELDOM_SHARE = 0.1

export function validCall(random: SeededRandom, { worlds, keys }: RequestSources): Call {
  let row = random.pick(ROUTE_SCOPES)
  if (SELDOM.has(row.route) && !random.chance(SELDOM_SHARE)) row = random.pick(ROUTE_SCOPES.filter(({ route }) => !SELDOM.has(route)))
  const { path, body } = row.request(random.chance(0.8) ? worlds.own : worlds.other)
  return { method: methodOf(row.route), target: path, route: row.route, json: body, key: random.pick(keys) }
}

export function answered(call: Call): WireCall {
  const body = bodyOf(call.json)
  return exchangeOf(call, usualHeaders(call, body), body, 'kept')
}

export function usualHeaders({ key, json }: Pick<Call, 'key' | 'json'>, body: Buffer): Headers {
  return [
    ['Host', '127.0.0.1'],
    ['Authorization', `Bearer ${key}`],
    ...(json === undefined ? [] : ([['Content-Type', 'application/json']] as const)),
    ...(json === undefined && body.length === 0 ? [] : ([['Content-Length', String(body.length)]] as const)),
  ]
}

export function exchangeOf({ method, target, route }: Call, headers: Headers, body: Buffer, connection: Exchange['connection']): WireCall {
  const head = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  return {
    route,
    bytes: [Buffer.concat([Buffer.from(head, 'latin1'), body])],
    isHead: [method === 'HEAD'],
    connection,
    mayGoUnanswered: false,
  }
}

export function bodyOf(json: unknown): Buffer {
  return json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(json))
}

function methodOf(route: string): string {
  return route.split(' ')[0] ?? 'GET'
}
