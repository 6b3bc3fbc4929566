import type { HttpApp } from '../../schemas/http/common.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
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
  SubscriptionRoutesDeps

/** What the business sets up: everything that is put by key or created once, and read by the stages. */
export function catalogRoutes(deps: CatalogRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    refuseUnstorableBodies(app)
    for (const routes of [meterRoutes, featureRoutes, productRoutes, planRoutes, customerRoutes, subscriptionRoutes])
      await routes(deps)(app)
  }
}
