import type { FastifyRequest } from 'fastify'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { createFairTurns, type GiveBack } from './fair-turns.ts'
import { HTTP_BOUNDS } from './http-bounds.ts'

/**
 * Routes that read the usage store take turns by tenant: a few reads at once, so that their answers are not all built at the same
 * time, and fewer of one tenant than of all, so that another's need not wait behind them.
 */
export function takeTurnsAtHeavyReads(app: HttpApp): void {
  const waitingMax = HTTP_BOUNDS.heavyReadsWaiting.most
  const turns = createFairTurns({
    atOnceMax: HTTP_BOUNDS.heavyReads.most,
    ofOneMax: HTTP_BOUNDS.heavyReadsOfTenant.most,
    waitingMax,
  })
  const held = new WeakMap<FastifyRequest, GiveBack>()

  // Only on these routes, as a hook that has nothing to do still costs every request.
  app.addHook('onRoute', (route) => {
    if (route.config?.isHeavyRead !== true) return
    route.preHandler = [...[route.preHandler ?? []].flat(), takeTurn]
    // Called whether it was answered, failed, or the caller is gone.
    route.onResponse = [...[route.onResponse ?? []].flat(), giveBackTurn]
  })

  function takeTurn(request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void {
    const isTaken = turns.take(request.principal.tenant, (giveBack) => {
      // Nothing is read for a caller who left while waiting.
      if (request.raw.socket.destroyed) giveBack()
      else {
        held.set(request, giveBack)
        done()
      }
    })
    if (!isTaken) done(new RefusalError(refuse('too_many_reads_waiting', { waitingMax })))
  }

  function giveBackTurn(request: FastifyRequest, _reply: unknown, done: () => void): void {
    held.get(request)?.()
    done()
  }
}
