import type { Registry } from 'prom-client'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { ReportUsage } from '../../entitlements/settlement-writer.ts'
import { createUsageReports } from '../../entitlements/usage-reports.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { AdoptedCustomers } from '../../usage/adopted-customers.ts'
import type { Usage } from '../../usage/usage.ts'
import { eventRoutes } from './event-routes.ts'
import { uncountedRoutes } from './uncounted-routes.ts'
import { usageReportRoutes } from './usage-report-routes.ts'
import { usageRoutes } from './usage-routes.ts'

export type UsageKit = {
  readonly clock: Clock
  readonly registry: Registry
  readonly stores: { readonly meters: Pick<MeterStore, 'get' | 'ofTenant'>; readonly usageStore: UsageStore }
  readonly usage: Pick<Usage, 'reader' | 'completeUntil'>
  readonly entitlements: Pick<Entitlements, 'cache' | 'balances'>
  readonly submit: ReportUsage
  readonly adoptedCustomers: AdoptedCustomers
  readonly createId: () => string
}

/** Usage of meters, their events, and direct usage reports. */
export function openUsage({ clock, registry, stores, usage, entitlements, submit, createId, adoptedCustomers }: UsageKit): Stage {
  const { meters, usageStore } = stores
  const { cache, balances } = entitlements
  const usageReports = createUsageReports({ entitlements: cache, meters, balances, reportUsage: submit })
  return {
    name: 'usage',
    async routes(app) {
      app.register(usageRoutes({ meters, usageReader: usage.reader, asOf: usage.completeUntil, clock, adoptedCustomers }))
      app.register(eventRoutes({ meters, usageStore, adoptedCustomers }))
      app.register(uncountedRoutes({ meters, usageStore, clock, adoptedCustomers }))
      app.register(usageReportRoutes({ usageReports, clock, registry, createId }))
    },
  }
}
