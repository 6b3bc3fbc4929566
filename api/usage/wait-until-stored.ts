import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { WaitQuerySchema } from '../../schemas/http/common.ts'
import type { ViewWaits } from '../../usage/view-waits.ts'

/** For a route that reads the usage store, as a preHandler: who waits has not taken the turn of a heavy read yet. */
export function waitUntilStored(waits: Pick<ViewWaits, 'stored'>): (request: FastifyRequest) => Promise<void> {
  return async ({ query }) => {
    const { waitMs } = query as Static<typeof WaitQuerySchema>
    if (waitMs !== undefined) await waits.stored(waitMs)
  }
}
