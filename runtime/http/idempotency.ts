import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { IdempotencyStore } from '../../adapters/database/idempotency/idempotency-store.ts'
import type { Clock } from '../../base/clock.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

const KEY_CHARACTERS_MAX = 255

/**
 * `Idempotency-Key` on routes that create: the same key and body get the same answer. Only answers that created something are
 * kept; a refusal or a fault created nothing, so the same key may try again.
 */
export function honourIdempotencyKeys(app: HttpApp, store: IdempotencyStore, clock: Clock, log: Logger): void {
  const claims = new WeakMap<FastifyRequest, string>()

  // Only on these routes, as a hook that has nothing to do still costs every request two promises.
  app.addHook('onRoute', (route) => {
    if (route.config?.isIdempotent !== true) return
    route.preHandler = [...[route.preHandler ?? []].flat(), claim]
    route.onSend = [...[route.onSend ?? []].flat(), save]
  })

  async function claim(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const key = request.headers['idempotency-key']
    if (key === undefined) return
    if (typeof key !== 'string' || key.length === 0 || key.length > KEY_CHARACTERS_MAX) {
      return orThrow(refuse('invalid_idempotency_key', { charactersMax: KEY_CHARACTERS_MAX }))
    }
    const requestHash = hash('sha256', JSON.stringify([request.method, request.url, request.body ?? null]))
    const answer = orThrow(await store.claim(request.principal.tenant, key, requestHash, clock.now()))
    if (answer === null) {
      claims.set(request, key)
      return
    }
    return reply.code(answer.status).header('idempotent-replayed', 'true').type('application/json; charset=utf-8').send(answer.body)
  }

  async function save(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const key = claims.get(request)
    if (key === undefined) return payload
    claims.delete(request)
    const { tenant } = request.principal
    try {
      if (reply.statusCode < 300 && typeof payload === 'string') {
        await store.save(tenant, key, { status: reply.statusCode, body: payload })
      } else {
        await store.release(tenant, key)
      }
    } catch (error) {
      // The thing is created already, so the answer must not become an error. A repeat of the key is refused as in use until the claim expires.
      log.error({ err: error, route: request.routeOptions.url }, 'idempotent answer not saved')
    }
    return payload
  }
}
