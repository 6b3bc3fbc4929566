import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import type { CustomerAdoptions } from '../adoptions/customer-adoptions.ts'
import { type CatalogRoutesDeps, catalogRoutes } from './catalog-routes.ts'
import { rateRoutes } from './rate-routes.ts'

export type CatalogKit = {
  readonly clock: Clock
  readonly stores: Omit<CatalogRoutesDeps, 'clock' | 'isMeterReady' | 'onEntitlementsChanged' | 'onSubjectsPut'>
  readonly usage: Pick<Usage, 'reader'>
  readonly entitlements: Pick<Entitlements, 'balances'>
  readonly adoptions: Pick<CustomerAdoptions, 'moveNow'>
}

/** What the business sells and to whom. */
export function openCatalog({ clock, stores, usage, entitlements: { balances }, adoptions }: CatalogKit): Stage {
  const { meters, features, products, plans, customers, subscriptions, taxRates } = stores
  const own = { meters, features, products, plans, customers, subscriptions, taxRates, clock, onSubjectsPut: adoptions.moveNow }
  return {
    name: 'catalog',
    async routes(app) {
      app.register(catalogRoutes({ ...own, isMeterReady: usage.reader.isComplete, onEntitlementsChanged: balances.trackCustomer }))
      app.register(rateRoutes())
    },
  }
}
