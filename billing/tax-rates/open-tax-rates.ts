import type { TaxRateStore } from '../../adapters/database/tax-rates/tax-rate-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { taxRateRoutes } from './tax-rate-routes.ts'

/** Rates that documents may carry. */
export function openTaxRates(taxRates: TaxRateStore): Stage {
  return {
    name: 'tax-rates',
    async routes(app) {
      refuseUnstorableBodies(app)
      await taxRateRoutes({ taxRates })(app)
    },
  }
}
