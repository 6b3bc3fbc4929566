import { type Static, Type } from 'typebox'
import { actAs } from '../../../adapters/database/acting.ts'
import type {
  ConsoleSession,
  ConsoleSessionStore,
  FoundConsoleSession,
} from '../../../adapters/database/console-sessions/console-session-store.ts'
import { RefusalError, refuse } from '../../../domain/refusal.ts'
import { CLOSED, type HttpApp } from '../../../schemas/http/common.ts'
import { instantJson } from '../../../schemas/http/instants.ts'
import type { FindPrincipal } from '../keys/authentication.ts'
import { refuseCrossSite } from './console-requests.ts'
import type { ConsoleSessions } from './console-sessions.ts'

export type SessionRoutesDeps = {
  readonly sessions: ConsoleSessions
  readonly store: Pick<ConsoleSessionStore, 'list' | 'end'>
  readonly findPrincipal: FindPrincipal
  readonly version: string
}

/** `/console/api/session`: who is signed in; `/console/api/sessions`: all of the tenant. For browsers alone: they need the cookie. */
export function sessionRoutes({ sessions, store, findPrincipal, version }: SessionRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/console/api/session', { schema: { ...HIDDEN, body: SignInSchema } }, async (request, reply) => {
      refuseCrossSite(request)
      const principal = await findPrincipal(request.body.key, request)
      if (principal === null) throw new RefusalError(refuse('invalid_key', {}))
      // A session has the scopes of its key and nothing that narrows them.
      if (principal.kind === 'publishable' || principal.only !== undefined || principal.token !== undefined) {
        throw new RefusalError(refuse('key_not_for_console', {}))
      }
      const { ip: address, id: requestId } = request
      const acting = { actor: `key/${principal.keyId}`, route: 'POST /console/api/session', address, requestId }
      const session = await new Promise<ConsoleSession>((resolve, reject) =>
        actAs(acting, () => {
          sessions.begin(request, reply, principal).then(resolve, reject)
        }),
      )
      return reply.code(201).send(signedInJson({ session, principal }, version))
    })
    // That nobody is signed in is an answer, not an error: it is what the page asks first.
    app.get('/console/api/session', { schema: HIDDEN }, async (request, reply) => {
      const found = await sessions.find(request)
      return found === null ? reply.code(204).send() : signedInJson(found, version)
    })
    app.delete('/console/api/session', { schema: HIDDEN }, async (request, reply) => {
      await sessions.leave(reply, request)
      return reply.code(204).send()
    })
    app.get('/console/api/sessions', { schema: HIDDEN }, async (request) => {
      const { session, principal } = await sessions.of(request)
      const all = await store.list(principal.tenant)
      return { data: all.map((each) => ({ ...sessionJson(each), isThis: each.id === session.id })) }
    })
    app.delete(
      '/console/api/sessions/:id',
      { schema: { ...HIDDEN, params: Type.Object({ id: Type.String() }) } },
      async (request, reply) => {
        const { session, principal } = await sessions.of(request)
        const { id } = request.params
        // Ending the session of another key is for admins; one's own is for everybody.
        const isOwn = (await store.list(principal.tenant)).some((each) => each.id === id && each.keyId === session.keyId)
        if (!isOwn && !principal.scopes.includes('admin')) {
          throw new RefusalError(refuse('missing_scope', { scope: 'admin', has: principal.scopes, wanted: 'route' }))
        }
        if (!(await store.end(principal.tenant, id))) throw new RefusalError(refuse('unknown_session', { session: id }))
        return reply.code(204).send()
      },
    )
  }
}

const HIDDEN = { hide: true } as { hide: true }
const SignInSchema = Type.Object({ key: Type.String({ minLength: 1, maxLength: 256 }) }, CLOSED)

const SessionSchema = Type.Object({
  id: Type.String(),
  key: Type.Object({ id: Type.String(), name: Type.String() }),
  createdAt: Type.String(),
  expiresAt: Type.String(),
  address: Type.String(),
  browser: Type.String(),
})

function sessionJson(session: ConsoleSession): Static<typeof SessionSchema> {
  return {
    id: session.id,
    key: { id: session.keyId, name: session.keyName },
    createdAt: instantJson(session.createdAtMs),
    expiresAt: instantJson(session.expiresAtMs),
    address: session.address,
    browser: session.browser,
  }
}

function signedInJson({ session, principal }: FoundConsoleSession, version: string) {
  return { ...sessionJson(session), tenant: principal.tenant, scopes: principal.scopes, version }
}
