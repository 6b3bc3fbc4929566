import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ChangeFeed } from '../../../adapters/database/changes.ts'
import type {
  ConsoleSession,
  ConsoleSessionStore,
  FoundConsoleSession,
} from '../../../adapters/database/console-sessions/console-session-store.ts'
import { createBoundedMap } from '../../../base/bounds/bounded-map.ts'
import type { Clock } from '../../../base/clock.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import type { Principal } from '../../../domain/principal.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import { hashSecret } from '../keys/key-ring.ts'
import { refuseCrossSite } from './console-requests.ts'

export type ConsoleSessions = {
  /** The session that the request's cookie holds; null when there is none that goes on. */
  find(request: FastifyRequest): Promise<FoundConsoleSession | null>
  /** The same for a request that needs one. Throws `not_signed_in`, and `cross_site_request` for a write from elsewhere. */
  of(request: FastifyRequest): Promise<FoundConsoleSession>
  /** Begins a session of the key and sets its cookie. */
  begin(request: FastifyRequest, reply: FastifyReply, principal: Principal): Promise<ConsoleSession>
  /** Ends the session, and takes its cookie away. */
  leave(reply: FastifyReply, request: FastifyRequest): Promise<void>
}

export type ConsoleSessionsDeps = {
  readonly store: ConsoleSessionStore
  readonly feed: Pick<ChangeFeed, 'subscribe'>
  readonly clock: Pick<Clock, 'now'>
}

/** A working day. */
const SESSION_MS = 8 * 3_600_000
const TOKEN_BYTES = 32
const CACHED_MAX = 1_000
/** A session that was found is looked up again after this long, so that the end of a key by its own date is noticed. */
const CACHED_MS = 10_000
const BROWSER_CHARACTERS_MAX = 200

export function createConsoleSessions({ store, feed, clock }: ConsoleSessionsDeps): ConsoleSessions {
  const known = createBoundedMap<string, { readonly found: FoundConsoleSession; readonly untilMs: number }>(CACHED_MAX)
  let changes = 0
  const forgetAll = () => {
    changes += 1
    known.clear()
  }
  feed.subscribe({ topics: ['keys', 'consoleSessions'], changed: forgetAll, missed: forgetAll })

  async function find(request: FastifyRequest): Promise<FoundConsoleSession | null> {
    const token = tokenOf(request)
    if (token === null) return null
    const cached = known.get(token)
    if (cached !== undefined && clock.now() < cached.untilMs) return cached.found
    const changesBefore = changes
    const found = await store.find(hashSecret(token))
    // An answer from before a change must not outlive the change.
    if (found !== null && changes === changesBefore) {
      known.set(token, { found, untilMs: Math.min(clock.now() + CACHED_MS, found.session.expiresAtMs) })
    }
    return found
  }

  async function of(request: FastifyRequest): Promise<FoundConsoleSession> {
    refuseCrossSite(request)
    const found = await find(request)
    if (found === null) throw new RefusalError(refuse('not_signed_in', {}))
    return found
  }

  return {
    find,
    of,
    async begin(request, reply, { tenant, keyId }) {
      const token = randomBytes(TOKEN_BYTES).toString('base64url')
      const expiresAtMs = (clock.now() + SESSION_MS) as InstantMs
      const browser = (request.headers['user-agent'] ?? '').slice(0, BROWSER_CHARACTERS_MAX)
      const session = await store.create({ tenant, keyId, tokenHash: hashSecret(token), expiresAtMs, address: request.ip, browser })
      setCookie(request, reply, token, SESSION_MS / 1_000)
      return session
    },
    async leave(reply, request) {
      const { session } = await of(request)
      await store.end(session.tenant, session.id)
      setCookie(request, reply, '', 0)
    },
  }
}

const COOKIE = 'tollgate_session'

/** `Path` keeps the cookie from every route of the API. On plain HTTP a browser would drop `Secure` without a word. */
function setCookie(request: FastifyRequest, reply: FastifyReply, value: string, seconds: number): void {
  const isSecure = request.protocol === 'https'
  const name = isSecure ? `__Secure-${COOKIE}` : COOKIE
  reply.header('set-cookie', `${name}=${value}; Path=/console; Max-Age=${seconds}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`)
}

function tokenOf(request: FastifyRequest): string | null {
  const name = request.protocol === 'https' ? `__Secure-${COOKIE}` : COOKIE
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2)
    if (key === name && value !== undefined && value !== '') return value
  }
  return null
}
