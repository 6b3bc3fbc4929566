import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { PageRequest } from '../../adapters/database/page.ts'
import type { Clock } from '../../base/clock.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { orThrow, type Refusal, refuse, refuseFields } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { UnbilledQuerySchema, UnbilledSchema } from '../../schemas/http/what-if.ts'
import { type UnbilledDeps, unbilledUsage } from './unbilled-usage.ts'

export type UnbilledRoutesDeps = UnbilledDeps & { readonly customers: Pick<CustomerStore, 'get' | 'list'>; readonly clock: Clock }

export function unbilledRoutes(deps: UnbilledRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/billing/unbilled', { config: { scope: 'read', isHeavyRead: true }, schema: LIST_UNBILLED }, async (request) => {
      const { tenant } = request.principal
      const { customer, from, to, limit = LIMIT_DEFAULT, cursor } = request.query
      const startMs = from === undefined ? (0 as InstantMs) : orThrow(parseInstant(from, 'from'))
      const endMs = to === undefined ? deps.clock.now() : orThrow(parseInstant(to, 'to'))
      if (endMs <= startMs) orThrow(refuseEmpty(to ?? instantJson(endMs), from ?? instantJson(startMs)))
      const { keys, nextCursor } =
        customer === undefined
          ? await customersOf(deps, tenant, { limit, ...(cursor !== undefined && { cursor }) })
          : { keys: [await knownCustomer(deps, tenant, customer)], nextCursor: null }
      const unbilled = await unbilledUsage(deps, { tenant, customers: keys, span: { startMs, endMs } })
      return {
        nextCursor,
        data: unbilled.map(({ customer: of, feature: { key: feature, unit }, quantityNano, events }) => {
          return { customer: of, feature, ...(unit !== null && { unit }), quantity: formatQuantity(quantityNano), events }
        }),
      }
    })
  }
}

const LIMIT_DEFAULT = 100

async function knownCustomer({ customers }: UnbilledRoutesDeps, tenant: TenantKey, key: string): Promise<CustomerKey> {
  return orThrow((await customers.get(tenant, key as CustomerKey)) ?? refuse('unknown_customer', { customer: key })).key
}

/** A page of all customers, archived ones too: what they used is used. */
async function customersOf({ customers }: UnbilledRoutesDeps, tenant: TenantKey, page: PageRequest) {
  const { data, nextCursor } = await customers.list(tenant, page, { archived: 'any' })
  return { keys: data.map(({ key }) => key), nextCursor }
}

function refuseEmpty(to: string, from: string): Refusal {
  return refuseFields('invalid_time', [{ field: 'to', code: 'invalid_time', detail: `to must be after from, which is ${from}; was ${to}` }])
}

const LIST_UNBILLED = {
  tags: ['invoices'],
  operationId: 'listUnbilledUsage',
  summary: 'Usage that no subscription bills, by customer and feature',
  description: 'Without `customer` a page is of `limit` customers, newest first, and may be empty while `nextCursor` has more.',
  querystring: UnbilledQuerySchema,
  response: { 200: UnbilledSchema, ...REFUSALS },
}
