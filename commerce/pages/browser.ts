import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A browser is known by a cookie of its own, so that keys and files are shown to the one that paid and to no other. */
const COOKIE = 'tollgate_browser'
const SECRET_BYTES = 24
const KEPT_SECONDS = 24 * 3_600

/** The secret of the browser; a new one is set where it has none. */
export function browserOf(request: FastifyRequest, reply: FastifyReply, randomBytes: (count: number) => Uint8Array): string {
  const known = cookieOf(request, COOKIE)
  if (known !== null && /^[A-Za-z0-9_-]{32}$/.test(known)) return known
  const secret = Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url')
  const secure = request.protocol === 'https' ? '; Secure' : ''
  reply.header('set-cookie', `${COOKIE}=${secret}; Path=/checkout; Max-Age=${KEPT_SECONDS}; HttpOnly; SameSite=Lax${secure}`)
  return secret
}

/** What the database keeps of it. */
export function browserHash(secret: string): string {
  return hash('sha256', secret)
}

export function cookieOf(request: FastifyRequest, name: string): string | null {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim())
  const found = pairs.find((pair) => pair.startsWith(`${name}=`))
  return found === undefined ? null : found.slice(name.length + 1)
}
