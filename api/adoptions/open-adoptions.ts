import type { Logger } from 'pino'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { adoptionRoutes } from './adoption-routes.ts'
import type { CustomerAdoptions } from './customer-adoptions.ts'

export type AdoptionsKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly stores: { readonly customers: Pick<CustomerStore, 'adopt'> }
  readonly adoptions: CustomerAdoptions
}

const PASS_INTERVAL_MS = 2_000

/** Customers that appeared by themselves become another's; whatever still comes under their keys is moved behind them. */
export function openAdoptions({ clock, log, stores: { customers }, adoptions }: AdoptionsKit): Stage {
  const stopped = new AbortController()
  let passing: Promise<void> = Promise.resolve()
  async function passAgain(): Promise<void> {
    while (!stopped.signal.aborted) {
      await adoptions.pass().catch((error: unknown) => log.warn({ err: error }, 'adopted usage not moved, tried again'))
      await clock.sleep(PASS_INTERVAL_MS, stopped.signal)
    }
  }
  return {
    name: 'adoptions',
    routes: adoptionRoutes({ customers, adoptions }),
    async start() {
      passing = passAgain()
    },
    async stop() {
      stopped.abort()
      await passing
    },
  }
}
