import type { Socket } from 'node:net'
import type { FastifyContextConfig } from 'fastify'
import { Fault } from '../../../base/fault.ts'
import { hasScope, type Principal, SCOPES, type Scope } from '../../../domain/principal.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'

/** Finds the owner of a key by its secret; null when there is no such key. `ip` is read only when the key is not known yet. */
export type FindPrincipal = (secret: string, request: { readonly ip: string }) => Principal | null | Promise<Principal | null>

const SECRET_CHARACTERS_MAX = 256
const BEARER = 'bearer '

/** Routes that show how the installation runs: open on the operators' port, elsewhere with an admin key. */
export const OPERATORS = { scope: 'admin', isOperators: true } as const satisfies FastifyContextConfig

/** Every route that names scopes needs a key with one of them; `admin` has all. */
export function authenticateRequests(app: HttpApp, findPrincipal: FindPrincipal, operatorSockets: WeakSet<Socket>): void {
  app.decorateRequest('principal', null as unknown as Principal)
  app.decorateRequest('isOperator', false)
  // By callback, as most keys are known and answered at once, and a promise per request costs more than finding one.
  app.addHook('onRequest', (request, _reply, done) => {
    const { scope, isOperators = false, isKeyOptional = false } = request.routeOptions.config
    if (scope === undefined) return done()
    if (operatorSockets.has(request.raw.socket)) {
      request.isOperator = isOperators
      return done(isOperators ? undefined : new RefusalError(refuse('not_found', { path: request.url.split('?', 1)[0] ?? '' })))
    }
    if (isKeyOptional && (request.headers.authorization ?? '') === '') return done()
    const admit = (principal: Principal | null) => {
      request.principal = admitted(principal, scope)
      if (isOperators) request.isOperator = true
    }
    try {
      const secret = secretOf(request.headers.authorization)
      const found = secret === null ? null : findPrincipal(secret, request)
      if (found instanceof Promise) {
        found.then(admit).then(
          () => done(),
          // A key that cannot be looked up now counts as none: the route reports whether the stores answer.
          (error) => done(isKeyOptional && error instanceof Fault ? undefined : error),
        )
        return
      }
      admit(found)
    } catch (error) {
      return done(error as Error)
    }
    done()
  })
}

/** Null when it cannot be one of our keys. */
function secretOf(header: string | undefined): string | null {
  const secret = header?.slice(0, BEARER.length).toLowerCase() === BEARER ? header.slice(BEARER.length).trim() : ''
  if (secret === '') {
    throw new RefusalError(refuse('missing_key', {}))
  }
  return secret.length > SECRET_CHARACTERS_MAX || /\s/.test(secret) ? null : secret
}

function admitted(principal: Principal | null, scope: Scope | readonly Scope[]): Principal {
  if (principal === null) {
    throw new RefusalError(refuse('invalid_key', {}))
  }
  if (!hasScope(principal, scope)) {
    const has = SCOPES.filter((each) => principal.scopes.includes(each))
    throw new RefusalError(refuse('missing_scope', { scope: [scope].flat().join(' or '), has, wanted: 'route' }))
  }
  return principal
}
