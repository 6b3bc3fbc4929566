import type { Socket } from 'node:net'
import type { FastifyContextConfig, FastifyRequest } from 'fastify'
import { isTokenText } from '../../../api/me/customer-tokens.ts'
import type { IsListedOrigin } from '../../../api/tenants/listed-origins.ts'
import { Fault } from '../../../base/fault.ts'
import { type MaybePromise, whenKnown } from '../../../base/maybe-promise.ts'
import { hasScope, type Principal, SCOPES } from '../../../domain/principal.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { admitOrigin } from '../browsers.ts'
import { isConsoleRequest } from '../console/console-requests.ts'

/** Finds who is signed in on the browser that sent the request; rejects with what is wrong. */
export type FindSignedIn = (request: FastifyRequest) => Promise<Principal>

/** Finds the owner of a key or a token by its text; null when there is no such key. `ip` is read only when a key is not known yet. */
export type FindPrincipal = (secret: string, request: { readonly ip: string }) => MaybePromise<Principal | null>

export type Doors = {
  readonly findPrincipal: FindPrincipal
  /** For requests by the console's door. */
  readonly findSignedIn: FindSignedIn
  readonly isListedOrigin: IsListedOrigin
  readonly operatorSockets: WeakSet<Socket>
}

/** Customer tokens are longer than keys: they name customer, scopes and sites. */
const SECRET_CHARACTERS_MAX = 256
const TOKEN_CHARACTERS_MAX = 8_192
const BEARER = 'bearer '

/** Routes that show how the installation runs: open on the operators' port, elsewhere with an admin key. */
export const OPERATORS = { scope: 'admin', isOperators: true } as const satisfies FastifyContextConfig

/** Every route that names scopes needs a key with one of them, `admin` has all; one that names a scope of tokens needs a customer token. */
export function authenticateRequests(app: HttpApp, { findPrincipal, findSignedIn, isListedOrigin, operatorSockets }: Doors): void {
  app.decorateRequest('principal', null as unknown as Principal)
  app.decorateRequest('isOperator', false)
  // By callback, as most keys are known and answered at once, and a promise per request costs more than finding one.
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope, tokenScope, isOperators = false, isKeyOptional = false } = request.routeOptions.config
    if (scope === undefined && tokenScope === undefined) return done()
    if (operatorSockets.has(request.raw.socket)) {
      request.isOperator = isOperators
      return done(isOperators ? undefined : new RefusalError(refuse('not_found', { path: request.url.split('?', 1)[0] ?? '' })))
    }
    if (isConsoleRequest(request)) {
      findSignedIn(request)
        .then((principal) => {
          request.principal = admitted(principal, request)
        })
        .then(() => done(), done)
      return
    }
    if (isKeyOptional && (request.headers.authorization ?? '') === '') return done()
    const admit = (found: Principal | null): MaybePromise<void> => {
      const principal = admitted(found, request)
      request.principal = principal
      if (isOperators) request.isOperator = true
      if (request.headers.origin !== undefined) return admitOrigin(principal, request, isListedOrigin)
    }
    try {
      const secret = secretOf(request.headers.authorization)
      const admission = whenKnown(secret === null ? null : findPrincipal(secret, request), admit)
      if (admission instanceof Promise) {
        admission.then(
          () => done(),
          // A key that cannot be looked up now counts as none: the route reports whether the stores answer.
          (error) => done(isKeyOptional && error instanceof Fault ? undefined : error),
        )
        return
      }
    } catch (error) {
      return done(error as Error)
    }
    done()
  })
}

/** Null when it can be neither one of our keys nor a token. */
function secretOf(header: string | undefined): string | null {
  const secret = header?.slice(0, BEARER.length).toLowerCase() === BEARER ? header.slice(BEARER.length).trim() : ''
  if (secret === '') {
    throw new RefusalError(refuse('missing_key', {}))
  }
  const charactersMax = isTokenText(secret) ? TOKEN_CHARACTERS_MAX : SECRET_CHARACTERS_MAX
  return secret.length > charactersMax || /\s/.test(secret) ? null : secret
}

function admitted(principal: Principal | null, { routeOptions: { config } }: FastifyRequest): Principal {
  const { scope = [], tokenScope } = config
  if (principal === null) {
    throw new RefusalError(refuse('invalid_key', {}))
  }
  const { token } = principal
  if (tokenScope !== undefined) {
    if (token === undefined) throw new RefusalError(refuse('customer_token_needed', {}))
    if (token.scopes.includes(tokenScope)) return principal
    throw new RefusalError(refuse('missing_token_scope', { scope: tokenScope, has: token.scopes }))
  }
  if (token !== undefined) throw new RefusalError(refuse('token_outside_me', {}))
  if (!hasScope(principal, scope)) {
    const has = SCOPES.filter((each) => principal.scopes.includes(each))
    throw new RefusalError(refuse('missing_scope', { scope: [scope].flat().join(' or '), has, wanted: 'route' }))
  }
  return principal
}
