import type { Vendor } from '../vendor.ts'
import { customerRoutes } from './customer-routes.ts'
import { entitlementRoutes } from './entitlement-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { featureRoutes } from './feature-routes.ts'
import { grantRoutes } from './grant-routes.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { meterQueryRoutes } from './meter-query-routes.ts'
import { meterRoutes } from './meter-routes.ts'
import { planRoutes } from './plan-routes.ts'
import { subjectRoutes } from './subject-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'
import { valueRoutes } from './value-routes.ts'

/** OpenMeter's `@openmeter/sdk`: `baseUrl` is `<url>/compat/openmeter`, and the SDK adds `/api/v1` or `/api/v2`. */
export const OPENMETER: Vendor = {
  name: 'openmeter',
  refusal({ requestId, code, status: own, ...problem }) {
    const status = statusOf(own, code)
    // The client compares the whole header: with a charset behind it, it reads no detail.
    return {
      status,
      contentType: 'application/problem+json',
      body: { ...problem, status, code, instance: `urn:tollgate:request:${requestId}` },
    }
  },
  routes: (kit) => async (app) => {
    const routes = [
      ...[eventRoutes, meterRoutes, meterQueryRoutes, customerRoutes, subjectRoutes, featureRoutes, entitlementRoutes],
      ...[valueRoutes, grantRoutes, planRoutes, subscriptionRoutes, invoiceRoutes],
    ]
    for (const each of routes) app.register(async (own) => each(own, kit))
  },
}

function statusOf(status: number, code: string): number {
  if (code === 'not_found' || code === 'method_not_allowed') return 501
  return status === 422 ? 400 : status
}
