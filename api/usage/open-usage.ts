import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { AdoptedCustomers } from '../../usage/adopted-customers.ts'
import type { Usage } from '../../usage/usage.ts'
import { eventRoutes } from './event-routes.ts'
import { uncountedRoutes } from './uncounted-routes.ts'
import { usageRoutes } from './usage-routes.ts'

export type UsageKit = {
  readonly clock: Clock
  readonly stores: { readonly meters: Pick<MeterStore, 'get' | 'ofTenant'>; readonly usageStore: UsageStore }
  readonly usage: Pick<Usage, 'reader' | 'completeUntil' | 'waits'>
  readonly adoptedCustomers: AdoptedCustomers
}

/** Usage of meters, and their events. */
export function openUsage({ clock, stores, usage, adoptedCustomers }: UsageKit): Stage {
  const { meters, usageStore } = stores
  return {
    name: 'usage',
    async routes(app) {
      app.register(
        usageRoutes({ meters, usageReader: usage.reader, asOf: usage.completeUntil, waits: usage.waits, clock, adoptedCustomers }),
      )
      app.register(eventRoutes({ meters, usageStore, adoptedCustomers, waits: usage.waits }))
      app.register(uncountedRoutes({ meters, usageStore, clock, adoptedCustomers }))
    },
  }
}
