import type { CustomerTokenStore } from '../../adapters/database/customer-tokens/customer-token-store.ts'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { hasScope, type Principal, type Scope, type TokenScope } from '../../domain/principal.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { CustomerParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import {
  CustomerTokenInputSchema,
  CustomerTokenSchema,
  TOKEN_TTL_MS_DEFAULT,
  TokensNotBeforeInputSchema,
  TokensNotBeforeSchema,
} from '../../schemas/http/customer-tokens.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { wrongOrigins } from '../tenants/wrong-origins.ts'
import type { CustomerTokens } from './customer-tokens.ts'

export type TokenRoutesDeps = {
  readonly tokens: Pick<CustomerTokens, 'issue'>
  readonly store: Pick<CustomerTokenStore, 'endAll'>
  readonly customers: Pick<CustomerStore, 'get'>
  readonly clock: Pick<Clock, 'now'>
}

/** Not idempotent by `Idempotency-Key`: the answer holds a token, and answers of idempotent routes are stored. */
export function tokenRoutes({ tokens, store, customers, clock }: TokenRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/customer-tokens', { config: { scope: Object.values(NEEDED) }, schema: CREATE_TOKEN }, async (request, reply) => {
      const { scopes, ttlMs = TOKEN_TTL_MS_DEFAULT, origins = null } = request.body
      const { tenant } = request.principal
      const customer = request.body.customer as CustomerKey
      orThrow(checkScopes(request.principal, scopes))
      orThrow(wrongOrigins(origins ?? []))
      if ((await customers.get(tenant, customer)) === null) {
        orThrow(refuseField('customer', refuse('unknown_customer', { customer })))
      }
      const wanted = [...new Set(scopes)]
      const { token, expiresAtMs } = await tokens.issue({ tenant, customer, scopes: wanted, origins, ttlMs })
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ token, customer, scopes: wanted, expiresAt: instantJson(expiresAtMs), origins })
    })
    app.put('/v1/customers/:key/tokens-not-before', { config: { scope: 'manage' }, schema: END_TOKENS }, async (request) => {
      const customer = request.params.key as CustomerKey
      const notBeforeMs = orThrow(readNotBefore(request.body.notBefore, clock.now()))
      const since = orThrow(await store.endAll(request.principal.tenant, customer, notBeforeMs))
      return { customer, notBefore: instantJson(since) }
    })
  }
}

const TAGS = { tags: ['customer tokens'] }

const CREATE_TOKEN = {
  ...TAGS,
  operationId: 'createCustomerToken',
  summary: 'A token with which a customer’s browser or app reads what is its own, under `/v1/me`',
  description: 'It lives for 24 hours at most and cannot be taken back by itself: `tokens-not-before` ends all of one customer.',
  body: CustomerTokenInputSchema,
  response: { 201: CustomerTokenSchema, ...REFUSALS },
}
const END_TOKENS = {
  ...TAGS,
  operationId: 'endCustomerTokens',
  summary: 'End all tokens of a customer that were made before an instant, by default now, on every process within a second',
  params: CustomerParamsSchema,
  body: TokensNotBeforeInputSchema,
  response: { 200: TokensNotBeforeSchema, ...REFUSALS },
}

/** The scope of a key that may hand out each scope of a token. */
const NEEDED = { read: 'read', decide: 'decide', portal: 'manage' } as const satisfies Record<TokenScope, Scope>

function checkScopes(maker: Principal, scopes: readonly TokenScope[]): Outcome<null> {
  const errors = scopes.flatMap((scope, at) => {
    if (hasScope(maker, NEEDED[scope])) return []
    const detail = `scopes[${at}] is ${scope}, for which the key needs scope ${NEEDED[scope]}; it has ${maker.scopes.join(', ')}`
    return [{ field: `scopes[${at}]`, code: 'scope_above_own', detail } as const]
  })
  return errors.length === 0 ? null : refuseFields('scope_above_own', errors)
}

function readNotBefore(text: string | undefined, nowMs: InstantMs): Outcome<InstantMs> {
  if (text === undefined) return nowMs
  const notBeforeMs = parseInstant(text, 'notBefore')
  if (isRefusal(notBeforeMs) || notBeforeMs <= nowMs) return notBeforeMs
  const detail = `notBefore must not be after now, ${instantJson(nowMs)}, was '${text}'`
  return refuseFields('not_before_ahead', [{ field: 'notBefore', code: 'not_before_ahead', detail }])
}
