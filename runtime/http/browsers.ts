import type { FastifyContextConfig, FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions } from 'fastify'
import type { IsListedOrigin } from '../../api/tenants/listed-origins.ts'
import { type MaybePromise, whenKnown } from '../../base/maybe-promise.ts'
import type { Principal } from '../../domain/principal.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

/**
 * Routes for customer tokens and publishable keys may be called from pages of other sites, without cookies. Browsers may read
 * every answer of theirs, so that a page sees why it is refused; what is not for the page is refused by `admitOrigin`.
 */
export function admitBrowsers(app: HttpApp): void {
  const preflights = new Set<string>()
  app.addHook('onRoute', function (this: HttpApp, { url, config = {} }: RouteOptions) {
    if (!isForBrowsers(config) || preflights.has(url)) return
    preflights.add(url)
    this.route({ method: 'OPTIONS', url, schema: { hide: true } as object, config: { isPreflight: true }, handler: answerPreflight })
  } as never)
  const allow: onRequestHookHandler = (request, reply, done) => {
    const { origin } = request.headers
    const { config } = request.routeOptions
    if (origin !== undefined && (config.isPreflight === true || isForBrowsers(config))) {
      reply.header('access-control-allow-origin', origin).header('vary', 'Origin').header('access-control-expose-headers', EXPOSED)
    }
    done()
  }
  app.addHook('onRequest', allow)
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers what a browser asks before it sends a request of another site's page. */
    isPreflight?: boolean
  }
}

function isForBrowsers({ scope, tokenScope }: FastifyContextConfig): boolean {
  return tokenScope !== undefined || scope === 'public' || (Array.isArray(scope) && scope.includes('public'))
}

const EXPOSED = 'x-request-id, retry-after, ratelimit, ratelimit-policy'
const PREFLIGHT_SECONDS = 600

async function answerPreflight(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply
    .code(204)
    .header('access-control-allow-methods', 'GET, HEAD, POST, PUT, DELETE')
    .header('access-control-allow-headers', 'authorization, content-type, idempotency-key')
    .header('access-control-max-age', String(PREFLIGHT_SECONDS))
    .send()
}

/** Refuses a secret key from a page of another site, and a page of a site that is not the tenant's. */
export function admitOrigin(
  { kind, tenant, token }: Principal,
  { headers: { origin = '' }, host }: FastifyRequest,
  isListedOrigin: IsListedOrigin,
): MaybePromise<void> {
  if (origin.slice(origin.indexOf('//') + 2) === host) return
  if (token === undefined && kind !== 'publishable') throw new RefusalError(refuse('secret_key_in_browser', { origin }))
  if (token !== undefined && token.origins !== null && !token.origins.includes(origin)) {
    throw new RefusalError(refuse('origin_not_allowed', { origin, of: 'token' }))
  }
  return whenKnown(isListedOrigin(tenant, origin), (isListed) => {
    if (!isListed) throw new RefusalError(refuse('origin_not_allowed', { origin, of: 'tenant' }))
  })
}
