import type { CustomerKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { OrderPageSchema, OrderParamsSchema, OrderQuerySchema, OrderSchema } from '../../schemas/http/checkouts.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { SellingKit } from '../selling-kit.ts'
import { orderJson } from './order-json.ts'

export function orderRoutes({ stores: { orders } }: Pick<SellingKit, 'stores'>): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/orders', { config: { scope: 'read' }, schema: LIST_ORDERS }, async (request) => {
      const { limit = 100, cursor, customer } = request.query
      const asked = { limit, ...(cursor !== undefined && { cursor }) }
      const page = await orders.list(request.principal.tenant, { customer: customer as CustomerKey | undefined }, asked)
      return { data: page.data.map(orderJson), nextCursor: page.nextCursor }
    })
    app.get('/v1/orders/:id', { config: { scope: 'read' }, schema: GET_ORDER }, async (request) => {
      const { id } = request.params
      return orderJson(orThrow((await orders.get(request.principal.tenant, id)) ?? refuse('unknown_order', { order: id })))
    })
  }
}

const TAGS = { tags: ['orders'] }
const LIST_ORDERS = {
  ...TAGS,
  operationId: 'listOrders',
  summary: 'One-time purchases, oldest first',
  querystring: OrderQuerySchema,
  response: { 200: OrderPageSchema, ...REFUSALS },
}
const GET_ORDER = {
  ...TAGS,
  operationId: 'getOrder',
  summary: 'A one-time purchase',
  params: OrderParamsSchema,
  response: { 200: OrderSchema, ...REFUSALS },
}
