import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type AlertRoutesDeps, alertRoutes } from './alert-routes.ts'

export type AlertsKit = Pick<AlertRoutesDeps, 'entitlements'> & { readonly stores: Pick<AlertRoutesDeps, 'alerts' | 'features'> }

/** Alerts as they are set up. */
export function openAlerts({ stores: { alerts, features }, entitlements }: AlertsKit): Stage {
  return {
    name: 'alerts',
    async routes(app) {
      refuseUnstorableBodies(app)
      await alertRoutes({ alerts, features, entitlements })(app)
    },
  }
}
