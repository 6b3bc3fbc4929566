import type { HttpApp } from '../../schemas/http/common.ts'
import { type GrantRoutesDeps, grantRoutes } from '../balances/grant-routes.ts'
import { type OverrideRoutesDeps, overrideRoutes } from '../balances/override-routes.ts'
import { type KeyRoutesDeps, keyRoutes } from '../keys/key-routes.ts'
import { refuseUnstorableText } from '../storable-text.ts'
import { type CustomerRoutesDeps, customerRoutes } from './customer-routes.ts'
import { type FeatureRoutesDeps, featureRoutes } from './feature-routes.ts'
import { type MeterRoutesDeps, meterRoutes } from './meter-routes.ts'
import { type PlanRoutesDeps, planRoutes } from './plan-routes.ts'
import { type ProductRoutesDeps, productRoutes } from './product-routes.ts'
import { type SubscriptionRoutesDeps, subscriptionRoutes } from './subscription-routes.ts'

export type CatalogRoutesDeps = MeterRoutesDeps &
  FeatureRoutesDeps &
  ProductRoutesDeps &
  PlanRoutesDeps &
  CustomerRoutesDeps &
  SubscriptionRoutesDeps &
  OverrideRoutesDeps &
  GrantRoutesDeps &
  KeyRoutesDeps

/** What the business sets up: everything that is put by key or made once and read by the stages. */
export function catalogRoutes(deps: CatalogRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.addHook('preValidation', async (request) => refuseUnstorableText(request.body))
    const ofCatalog = [meterRoutes, featureRoutes, productRoutes, planRoutes, customerRoutes, subscriptionRoutes, keyRoutes]
    for (const routes of [...ofCatalog, overrideRoutes, grantRoutes]) await routes(deps)(app)
  }
}
