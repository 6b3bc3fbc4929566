import type { ModelCostStore } from '../../adapters/database/model-costs/model-cost-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { callCountRoutes } from './call-count-routes.ts'
import { modelCostRoutes } from './model-cost-routes.ts'

export type ModelCostsKit = {
  readonly clock: Clock
  readonly stores: { readonly modelCosts: ModelCostStore; readonly usageStore: Pick<UsageStore, 'scanEvents'> }
}

/** What providers charge for their models. */
export function openModelCosts({ clock, stores: { modelCosts, usageStore } }: ModelCostsKit): Stage {
  return {
    name: 'model-costs',
    async routes(app) {
      refuseUnstorableBodies(app)
      await callCountRoutes({ usageStore, clock })(app)
      await modelCostRoutes({ modelCosts, usageStore, clock })(app)
    },
  }
}
