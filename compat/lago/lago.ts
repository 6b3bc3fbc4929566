import type { Vendor } from '../vendor.ts'
import { customerRoutes } from './customer-routes.ts'
import { entitlementRoutes } from './entitlement-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { metricRoutes } from './metric-routes.ts'
import { planRoutes } from './plan-routes.ts'
import type { InvalidValues } from './refuse-values.ts'
import { subscriptionRoutes } from './subscription-routes.ts'
import { usageRoutes } from './usage-routes.ts'

/** Lago's clients: their base URL is `<url>/compat/lago/api/v1`, or `<url>/compat/lago/` for the Python one. */
export const LAGO: Vendor = {
  name: 'lago',
  refusal({ status: own, code, detail, errors, ...problem }) {
    const [status, error, ownCode] = refusalOf(own, code, detail)
    const details =
      (problem as Partial<InvalidValues>).error_details ??
      Object.fromEntries((errors ?? []).map((each) => [each.field, ['value_is_invalid']]))
    const body = { status, error, ...(ownCode === null ? {} : { code: ownCode }), ...(status === 422 ? { error_details: details } : {}) }
    return { status, contentType: 'application/json; charset=utf-8', body: status === 401 ? body : { ...body, message: detail } }
  },
  routes: (kit) => async (app) => {
    app.register(
      async (api) => {
        const routes = [metricRoutes, planRoutes, entitlementRoutes, customerRoutes, subscriptionRoutes, eventRoutes, usageRoutes]
        for (const each of routes) await each(api, kit)
      },
      { prefix: '/api/v1' },
    )
  },
}

const RESOURCES: Readonly<Record<string, string>> = {
  unknown_meter: 'billable_metric',
  unknown_plan: 'plan',
  unknown_customer: 'customer',
  unknown_subscription: 'subscription',
  unknown_feature: 'feature',
  unknown_event: 'event',
}

/** What cannot be read at all; what can be read and is wrong is 422. */
const UNREADABLE: ReadonlySet<string> = new Set(['invalid_json', 'invalid_url', 'bad_request', 'missing_body_part'])

function refusalOf(status: number, code: string, detail: string): readonly [status: number, error: string, code: string | null] {
  if (status === 401) return [401, 'Unauthorized', null]
  if (code === 'not_found' || code === 'method_not_allowed') return [501, 'Not Implemented', 'not_implemented']
  if (code === 'no_active_subscription') return [405, 'Method Not Allowed', code]
  const resource = RESOURCES[code]
  if (resource !== undefined) return [404, 'Not Found', `${resource}_not_found`]
  if (UNREADABLE.has(code)) return [400, `BadRequest: ${detail}`, null]
  if (status === 400 || status === 409 || status === 422) return [422, 'Unprocessable Entity', 'validation_errors']
  return [status, status === 403 ? 'Forbidden' : 'Error', code]
}
