import type { Vendor } from '../vendor.ts'
import { catalogRoutes } from './catalog-routes.ts'
import { customerRoutes } from './customer-routes.ts'
import { entitlementRoutes } from './entitlement-routes.ts'
import { readForms } from './forms.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { meterEventRoutes } from './meter-event-routes.ts'
import { meterRoutes } from './meter-routes.ts'
import { subscriptionRoutes } from './subscription-routes.ts'

/**
 * Stripe's clients, for metering. They take a host and a port and no path, and their paths are ours too: a request is Stripe's by the
 * header that every client of it sends and no other does.
 */
export const STRIPE: Vendor = {
  name: 'stripe',
  claims: (headers) => headers['stripe-version'] !== undefined,
  refusal({ status, code, detail, errors, requestId, path }) {
    const [ownStatus, type, ownCode] = path.endsWith(STREAM) && status === 401 ? EXPIRED : refusalOf(status, code)
    const param = errors?.[0]?.field
    const error = { type, code: ownCode, message: detail, ...(param === undefined ? {} : { param }) }
    const shouldRetry = ownStatus === 429 || ownStatus === 503
    return {
      status: ownStatus,
      contentType: 'application/json',
      headers: { 'request-id': requestId, 'stripe-should-retry': String(shouldRetry) },
      body: { error },
    }
  },
  routes: (kit) => async (app) => {
    readForms(app)
    app.addHook('onSend', (request, reply, _payload, done) => {
      reply.header('request-id', request.id)
      done()
    })
    const routes = [meterRoutes, meterEventRoutes, customerRoutes, catalogRoutes, subscriptionRoutes, entitlementRoutes, invoiceRoutes]
    for (const each of routes) await each(app, kit)
  },
}

/** Its key is the token of a session. */
const STREAM = '/v2/billing/meter_event_stream'
const EXPIRED = [401, 'temporary_session_expired', 'billing_meter_event_session_expired'] as const

function refusalOf(status: number, code: string): readonly [status: number, type: string, code: string] {
  switch (code) {
    case 'not_found':
    case 'method_not_allowed':
      return [501, 'api_error', 'not_implemented']
    case 'idempotency_key_reused':
      return [400, 'idempotency_error', code]
    default:
      if (status === 404) return [404, 'invalid_request_error', 'resource_missing']
      if (status === 429) return [429, 'rate_limit_error', 'rate_limit']
      return status < 500 ? [status === 422 ? 400 : status, 'invalid_request_error', code] : [status, 'api_error', code]
  }
}
