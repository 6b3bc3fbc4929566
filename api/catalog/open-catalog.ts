import type { Catalog } from '../../adapters/database/catalog.ts'
import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { catalogRoutes } from './catalog-routes.ts'
import { rateRoutes } from './rate-routes.ts'

export type CatalogKit = {
  readonly clock: Clock
  readonly stores: { readonly catalog: Catalog }
  readonly usage: Pick<Usage, 'reader'>
  readonly entitlements: Pick<Entitlements, 'balances'>
}

/** What the business sells and to whom. */
export function openCatalog({ clock, stores: { catalog }, usage, entitlements: { balances } }: CatalogKit): Stage {
  return {
    name: 'catalog',
    async routes(app) {
      app.register(catalogRoutes({ catalog, clock, isMeterReady: usage.reader.isComplete, onEntitlementsChanged: balances.trackCustomer }))
      app.register(rateRoutes())
    },
  }
}
