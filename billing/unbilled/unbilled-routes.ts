import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { Clock } from '../../base/clock.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import { UnbilledQuerySchema, UnbilledSchema } from '../../schemas/http/what-if.ts'
import { type UnbilledDeps, unbilledUsage } from './unbilled-usage.ts'

export type UnbilledRoutesDeps = UnbilledDeps & { readonly customers: Pick<CustomerStore, 'get'>; readonly clock: Clock }

export function unbilledRoutes(deps: UnbilledRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/billing/unbilled', { config: { scope: 'read', isHeavyRead: true }, schema: LIST_UNBILLED }, async (request) => {
      const { tenant } = request.principal
      const { customer: key, from, to } = request.query
      const customer = orThrow((await deps.customers.get(tenant, key as CustomerKey)) ?? refuse('unknown_customer', { customer: key }))
      const startMs = from === undefined ? (0 as InstantMs) : orThrow(parseInstant(from, 'from'))
      const endMs = to === undefined ? deps.clock.now() : orThrow(parseInstant(to, 'to'))
      const unbilled = await unbilledUsage(deps, { tenant, customer: customer.key, span: { startMs, endMs } })
      return {
        data: unbilled.map(({ feature: { key: feature, unit }, quantityNano, events }) => {
          return { feature, ...(unit !== null && { unit }), quantity: formatQuantity(quantityNano), events }
        }),
      }
    })
  }
}

const LIST_UNBILLED = {
  tags: ['invoices'],
  operationId: 'listUnbilledUsage',
  summary: 'A customer’s usage that no subscription bills, by feature',
  querystring: UnbilledQuerySchema,
  response: { 200: UnbilledSchema, ...REFUSALS },
}
