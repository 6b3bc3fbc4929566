import type { onRequestHookHandler } from 'fastify'
import { actAs } from '../../../adapters/database/acting.ts'
import type { Scope } from '../../../domain/principal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'

/** Usage, decisions and reservations are no changes of what is set up; their routes are the busy ones. */
const CHANGING: ReadonlySet<Scope> = new Set<Scope>(['manage', 'billing', 'admin'])
const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What a request with a key changes is on record as the key's. Before the handler, as reading a body loses the context of before. */
export function nameActors(app: HttpApp): void {
  app.addHook('onRoute', (route) => {
    const methods = [route.method].flat()
    const scopes = [route.config?.scope ?? []].flat()
    if (!scopes.some((scope) => CHANGING.has(scope)) || methods.every((method) => READING.has(method))) return
    const named = `${methods.join(',')} ${route.url}`
    const name: onRequestHookHandler = (request, _reply, done) => {
      const { principal, ip: address, id: requestId } = request
      actAs({ actor: `key/${principal.keyId}`, route: named, address, requestId }, done)
    }
    route.preHandler = [...[route.preHandler ?? []].flat(), name]
  })
}
