import type { Logger } from 'pino'
import type { Adoption, AdoptionStore } from '../../adapters/database/customers/adoption-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { type MoveUsageDeps, moveUsage } from './move-usage.ts'

export type CustomerAdoptionsDeps = MoveUsageDeps & {
  readonly adoptions: Pick<AdoptionStore, 'pending' | 'settle'>
  /** All events received before this instant are in the usage store. */
  readonly completeUntil: () => Promise<InstantMs>
  readonly clock: Clock
  readonly log: Logger
}

/** Moves the usage of adopted customers. A process may end in the middle: what is pending is taken up again, by any process. */
export type CustomerAdoptions = {
  /** Resolves when what these customers used until now is moved, or will be by the next pass. */
  moveNow(tenant: TenantKey, adopter: CustomerKey): Promise<void>
  /** One pass over all that is pending. */
  pass(): Promise<void>
}

/**
 * Every process takes events by a new name when it has heard of it, and a request may take two minutes: after this long nothing
 * comes under an adopted key any more.
 */
export const ADOPTION_SETTLES_AFTER_MS = 180_000
const COMPLETE_WAIT_MS_MAX = 5_000
const POLL_MS = 50

export function createCustomerAdoptions(deps: CustomerAdoptionsDeps): CustomerAdoptions {
  const { adoptions, completeUntil, clock, log } = deps

  async function move(adoption: Adoption): Promise<void> {
    const completeMs = await completeUntil()
    const events = await moveUsage(deps, adoption)
    const { tenant, customer, adopter, adoptedAtMs } = adoption
    if (events > 0) log.info({ tenant, events }, 'usage of an adopted customer moved')
    if (completeMs < adoptedAtMs + ADOPTION_SETTLES_AFTER_MS) return
    await adoptions.settle({ tenant, customer, adopter, adoptedAtMs })
  }

  async function whenComplete(untilMs: InstantMs): Promise<void> {
    const deadlineMs = clock.now() + COMPLETE_WAIT_MS_MAX
    while ((await completeUntil()) < untilMs && clock.now() < deadlineMs) await clock.sleep(POLL_MS)
  }

  return {
    async moveNow(tenant, adopter) {
      try {
        const pending = (await adoptions.pending()).filter((each) => each.tenant === tenant && each.adopter === adopter)
        if (pending.length === 0) return
        await whenComplete(clock.now())
        for (const adoption of pending) await move(adoption)
      } catch (error) {
        log.warn({ err: error, tenant }, 'usage of an adopted customer not moved yet')
      }
    },
    async pass() {
      for (const adoption of await adoptions.pending()) await move(adoption)
    },
  }
}
