import { hash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { IDEMPOTENCY_BOUNDS } from '../../adapters/database/idempotency/idempotency-bounds.ts'
import type { IdempotencyStore } from '../../adapters/database/idempotency/idempotency-store.ts'
import { type BudgetAccount, createSharedBudget } from '../../base/bounds/shared-budget.ts'
import type { Clock } from '../../base/clock.ts'
import { orThrow, RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

const KEY_CHARACTERS_MAX = IDEMPOTENCY_BOUNDS.key.most

/**
 * `Idempotency-Key` on routes that create: the same key and body get the same answer. Only answers that created something are
 * kept; a refusal or a fault created nothing, so the same key may try again. Requests with a key wait for the catalog twice, so
 * those under way are bounded and shared by tenant and key of the api.
 */
export function honourIdempotencyKeys(app: HttpApp, store: IdempotencyStore, clock: Clock, log: Logger): void {
  const underWay = createSharedBudget({ unitsMax: IDEMPOTENCY_BOUNDS.underWay.most, levels: ['tenant', 'key'], waitersMax: 0, clock })
  const claims = new WeakMap<FastifyRequest, string>()
  const accounts = new WeakMap<FastifyRequest, BudgetAccount<'tenant' | 'key'>>()

  // Only on these routes, as a hook that has nothing to do still costs every request two promises.
  app.addHook('onRoute', (route) => {
    if (route.config?.isIdempotent !== true) return
    route.preHandler = [...[route.preHandler ?? []].flat(), claim]
    route.onSend = [...[route.onSend ?? []].flat(), save]
    // Called whether it was answered, failed, or the caller is gone.
    route.onResponse = [...[route.onResponse ?? []].flat(), leave]
  })

  async function claim(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const key = request.headers['idempotency-key']
    if (key === undefined) return
    if (typeof key !== 'string' || key.length === 0 || key.length > KEY_CHARACTERS_MAX) {
      return orThrow(refuse('invalid_idempotency_key', { charactersMax: KEY_CHARACTERS_MAX }))
    }
    const { tenant, keyId } = request.principal
    enter(request, tenant, keyId)
    const requestHash = hash('sha256', JSON.stringify([request.method, request.url, request.body ?? null]))
    const answer = orThrow(await store.claim(tenant, key, requestHash, clock.now()))
    if (answer === null) {
      claims.set(request, key)
      return
    }
    return reply.code(answer.status).header('idempotent-replayed', 'true').type('application/json; charset=utf-8').send(answer.body)
  }

  function enter(request: FastifyRequest, tenant: string, key: string): void {
    const account = underWay.open({ tenant, key })
    const shortage = account.tryTake(1)
    if (shortage === undefined) accounts.set(request, account)
    else {
      account.close()
      throw new RefusalError(refuse('overloaded', { bound: 'idempotency_keys', ...shortage }))
    }
  }

  function leave(request: FastifyRequest, _reply: unknown, done: () => void): void {
    accounts.get(request)?.close()
    done()
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
