import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type BillingSettingsRoutesDeps, billingSettingsRoutes } from './billing-settings-routes.ts'

/** When documents are made final, what they are called, and who sends them. */
export function openBillingSettings(deps: BillingSettingsRoutesDeps): Stage {
  return {
    name: 'billing-settings',
    async routes(app) {
      refuseUnstorableBodies(app)
      await billingSettingsRoutes(deps)(app)
    },
  }
}
