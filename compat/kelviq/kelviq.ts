import type { Vendor } from '../vendor.ts'
import { customerRoutes } from './customer-routes.ts'
import { entitlementRoutes } from './entitlement-routes.ts'
import { reportRoutes } from './report-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'

/** Kelviq's `@kelviq/node-sdk` and `kelviq-sdk`: `baseUrl` and `edgeApiUrl` are `<url>/compat/kelviq`, and the SDK adds `/api/v1`. */
export const KELVIQ: Vendor = {
  name: 'kelviq',
  refusal({ type: _type, title: _title, ...problem }) {
    const status = statusOf(problem.status, problem.code)
    return { status, contentType: 'application/json; charset=utf-8', body: { ...problem, status } }
  },
  routes: (kit) => async (app) => {
    app.register(
      async (api) => {
        for (const routes of [entitlementRoutes, reportRoutes, customerRoutes, subscriptionRoutes]) await routes(api, kit)
      },
      { prefix: '/api/v1' },
    )
  },
}

/** The status decides which class the SDK throws. A 404 would read as "no such customer" where there is no such call. */
function statusOf(status: number, code: string): number {
  if (code === 'not_found' || code === 'method_not_allowed') return 501
  return status === 409 || status === 422 ? 400 : status
}
