import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { type UnbilledRoutesDeps, unbilledRoutes } from '../unbilled/unbilled-routes.ts'
import { type WhatIfRoutesDeps, whatIfRoutes } from './what-if-routes.ts'

export type WhatIfKit = {
  readonly clock: Clock
  readonly stores: Pick<WhatIfRoutesDeps, 'plans' | 'subscriptions'> &
    Pick<UnbilledRoutesDeps, 'features' | 'meters' | 'customers'> & {
      readonly eventLog: Pick<EventLog, 'partitions'>
      readonly usageStore: UsageStore
      readonly billing: Pick<WhatIfRoutesDeps, 'inputs' | 'cursors' | 'invoices'>
    }
  readonly usage: Pick<Usage, 'reader'>
}

/** What past usage would cost otherwise, and what of it nothing bills. */
export function openWhatIf({ clock, stores, usage }: WhatIfKit): Stage {
  const { plans, subscriptions, features, meters, customers, eventLog, usageStore, billing } = stores
  const deps = { ...billing, plans, subscriptions, features, meters, customers, usageStore, usageReader: usage.reader, clock }
  return {
    name: 'what-if',
    async routes(app) {
      await whatIfRoutes({ ...deps, partitions: eventLog.partitions })(app)
      await unbilledRoutes(deps)(app)
    },
  }
}
