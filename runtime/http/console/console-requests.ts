import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { RefusalError, refuse } from '../../../domain/refusal.ts'

const API = '/console/api/v1/'
/** Requests that came in by the console's door. */
const marked = new WeakSet<object>()

/** One route table, two doors: a read of the console's page is the same route of the API. Only marked requests look at the cookie. */
export function rewriteConsoleUrl(request: Pick<IncomingMessage, 'url'>): string | null {
  const { url = '' } = request
  if (!url.startsWith(API)) return null
  marked.add(request)
  return url.slice('/console/api'.length)
}

export function isConsoleRequest(request: FastifyRequest): boolean {
  return marked.has(request.raw)
}

/**
 * Refuses a write that another site's page sent with our cookie. `SameSite` alone is not enough: another port of the same host is
 * the same site. Browsers leave `Sec-Fetch-Site` out on plain HTTP off loopback; there the origin must be this host.
 */
export function refuseCrossSite(request: FastifyRequest): void {
  if (SAFE.has(request.method)) return
  const { 'sec-fetch-site': site, origin, host } = request.headers
  if (site === undefined ? origin !== undefined && hostOf(origin) === host : site === 'same-origin') return
  throw new RefusalError(refuse('cross_site_request', {}))
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null
}
