import type { FastifyReply, FastifyRequest } from 'fastify'
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
  const held = new WeakMap<FastifyRequest, { readonly giveBack: GiveBack; isRead: boolean }>()

  // Only on these routes, as a hook that has nothing to do still costs every request.
  app.addHook('onRoute', (route) => {
    if (route.config?.isHeavyRead !== true) return
    route.preHandler = [...[route.preHandler ?? []].flat(), takeTurn]
    route.onSend = [...[route.onSend ?? []].flat(), noteRead]
    route.onResponse = [...[route.onResponse ?? []].flat(), giveBackTurn]
  })

  function takeTurn(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    const isTaken = turns.take(request.principal.tenant, (giveBack) => {
      // Nothing is read for a caller who left while waiting.
      if (request.raw.socket.destroyed) giveBack()
      else {
        const turn = { giveBack, isRead: false }
        held.set(request, turn)
        // An answer to a caller who is gone never finishes, so there is no onResponse for it. What is still being read keeps its turn.
        reply.raw.once('close', () => {
          if (turn.isRead) giveBack()
        })
        done()
      }
    })
    if (!isTaken) done(new RefusalError(refuse('too_many_reads_waiting', { waitingMax })))
  }

  function noteRead(request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void): void {
    const turn = held.get(request)
    if (turn !== undefined) {
      turn.isRead = true
      if (reply.raw.destroyed || request.raw.socket.destroyed) turn.giveBack()
    }
    done()
  }

  function giveBackTurn(request: FastifyRequest, _reply: unknown, done: () => void): void {
    held.get(request)?.giveBack()
    done()
  }
}
