import type { Logger } from 'pino'
import type { Cancel, Clock } from '../../base/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { COMMERCE_BOUNDS } from '../commerce-bounds.ts'
import type { WriteSale } from '../selling-stores.ts'

const BATCH: number = COMMERCE_BOUNDS.expiredCheckouts.most
const EVERY_MS = 30_000

export type EndCheckoutsDeps = { readonly write: WriteSale; readonly clock: Clock; readonly log: Logger }

/** Ends checkouts whose time is over, each once, in every process: rows that another one holds are left to it. */
export function endCheckoutsInTime({ write, clock, log }: EndCheckoutsDeps): Cancel {
  return clock.every(EVERY_MS, async () => {
    try {
      for (let ended = BATCH; ended === BATCH; ) ended = await endCheckouts(write, clock.now())
    } catch (error) {
      log.error({ err: error }, 'checkouts not ended')
    }
  })
}

/** How many ended, up to a batch. */
export async function endCheckouts(write: WriteSale, nowMs: InstantMs): Promise<number> {
  return await write(async ({ checkouts, outbox }) => {
    const over = await checkouts.lockExpired(nowMs, BATCH)
    for (const checkout of over) {
      const { id, tenant, plan, asked } = checkout
      await checkouts.save({ ...checkout, status: 'expired' })
      const data = { checkout: id, plan, email: asked.email, name: asked.name, quantity: asked.quantity }
      await outbox.append(tenant, [{ type: 'checkout.expired', object: id, data, createdAtMs: nowMs }])
    }
    return over.length
  })
}
