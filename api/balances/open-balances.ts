import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { FeatureReader } from '../../adapters/database/features/feature-store.ts'
import type { GrantStore } from '../../adapters/database/grants/grant-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { OverrideStore } from '../../adapters/database/overrides/override-store.ts'
import type { ResetStore } from '../../adapters/database/resets/reset-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import type { Usage } from '../../usage/usage.ts'
import { balanceRoutes } from './balance-routes.ts'
import { grantRoutes } from './grant-routes.ts'
import { overrideRoutes } from './override-routes.ts'
import { resetRoutes } from './reset-routes.ts'

export type BalanceKit = {
  readonly clock: Clock
  readonly stores: {
    readonly grants: GrantStore
    readonly overrides: OverrideStore
    readonly resets: ResetStore
    readonly customers: Pick<CustomerStore, 'get'>
    readonly features: FeatureReader
    readonly meters: MeterReader
  }
  readonly entitlements: Pick<Entitlements, 'cache' | 'balances'>
  readonly usage: Pick<Usage, 'waits'>
}

/** Balances, and manual changes to them: resets, overrides, grants. */
export function openBalances({ clock, stores, entitlements: { cache, balances }, usage }: BalanceKit): Stage {
  const { grants, overrides, resets, customers, features, meters } = stores
  const onEntitlementsChanged = balances.trackCustomer
  return {
    name: 'balances',
    async routes(app) {
      app.register(balanceRoutes({ customers, entitlements: cache, balances, waits: usage.waits }))
      app.register(resetRoutes({ resets, customers, entitlements: cache, balances, clock }))
      app.register(async (changes) => {
        refuseUnstorableBodies(changes)
        await overrideRoutes({ overrides, features, onEntitlementsChanged })(changes)
        await grantRoutes({ grants, customers, features, meters, clock, onEntitlementsChanged })(changes)
      })
    },
  }
}
