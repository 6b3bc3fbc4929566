import type { Catalog } from '../../adapters/database/catalog.ts'
import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../storable-text.ts'
import { balanceRoutes } from './balance-routes.ts'
import { grantRoutes } from './grant-routes.ts'
import { overrideRoutes } from './override-routes.ts'
import { resetRoutes } from './reset-routes.ts'

export type BalanceKit = {
  readonly clock: Clock
  readonly stores: { readonly catalog: Catalog }
  readonly entitlements: Pick<Entitlements, 'cache' | 'balances'>
}

/** Balances, and what is changed in them by hand: resets, overrides, grants. */
export function openBalances({ clock, stores: { catalog }, entitlements: { cache, balances } }: BalanceKit): Stage {
  const onEntitlementsChanged = balances.trackCustomer
  return {
    name: 'balances',
    async routes(app) {
      app.register(balanceRoutes({ catalog, entitlements: cache, balances }))
      app.register(resetRoutes({ catalog, entitlements: cache, balances, clock }))
      app.register(async (changes) => {
        refuseUnstorableBodies(changes)
        await overrideRoutes({ catalog, onEntitlementsChanged })(changes)
        await grantRoutes({ catalog, clock, onEntitlementsChanged })(changes)
      })
    },
  }
}
