import type { Vendor } from '../vendor.ts'
import { balanceRoutes } from './balance-routes.ts'
import { billingRoutes } from './billing-routes.ts'
import { catalogRoutes } from './catalog-routes.ts'
import { checkRoutes } from './check-routes.ts'
import { customerRoutes } from './customer-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { trackRoutes } from './track-routes.ts'

/** Autumn's `autumn-js`: `serverURL` is `<url>/compat/autumn`. Each call is a POST with all of it in its body. */
export const AUTUMN: Vendor = {
  name: 'autumn',
  refusal({ status, code, detail, requestId }) {
    const [ownStatus, ownCode] = REFUSALS[code] ?? [status, status === 400 ? 'invalid_inputs' : code]
    const body = { message: detail, code: ownCode, env: 'live', request_id: requestId }
    return { status: ownStatus, contentType: 'application/json; charset=utf-8', body }
  },
  routes: (kit) => async (app) => {
    app.register(
      async (api) => {
        const routes = [checkRoutes, trackRoutes, balanceRoutes, customerRoutes, billingRoutes, catalogRoutes, eventRoutes]
        for (const each of routes) await each(api, kit)
      },
      { prefix: '/v1' },
    )
  },
}

/** Autumn names what is missing wherever the call names it. */
const REFUSALS: Readonly<Record<string, readonly [status: number, code: string]>> = {
  missing_key: [401, 'no_auth_header'],
  invalid_key: [401, 'invalid_secret_key'],
  unknown_customer: [404, 'customer_not_found'],
  unknown_feature: [404, 'feature_not_found'],
  unknown_plan: [404, 'product_not_found'],
  not_found: [501, 'not_implemented'],
  method_not_allowed: [501, 'not_implemented'],
}
