import type { ProductStore } from '../../adapters/database/products/product-store.ts'
import type { ProductKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { KeyParamsSchema, PageQuerySchema, ProductInputSchema, ProductSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'

export type ProductRoutesDeps = { readonly products: ProductStore }

export function productRoutes({ products }: ProductRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/products/:key', { config: { scope: 'admin' }, schema: PUT_PRODUCT }, async (request, reply) => {
      const { name, description = null } = request.body
      const product = { key: request.params.key as ProductKey, name, description }
      const { value, result } = await products.put(request.principal.tenant, product)
      return reply.code(result === 'created' ? 201 : 200).send(value)
    })
    app.get('/v1/products/:key', { config: { scope: 'read' }, schema: GET_PRODUCT }, async (request) => {
      const key = request.params.key as ProductKey
      return orThrow((await products.get(request.principal.tenant, key)) ?? refuse('unknown_product', { product: key }))
    })
    app.get('/v1/products', { config: { scope: 'read' }, schema: LIST_PRODUCTS }, async (request) => {
      const { limit = LIMIT_DEFAULT, ...rest } = request.query
      const { data, nextCursor } = await products.list(request.principal.tenant, { limit, ...rest })
      return { data: [...data], nextCursor }
    })
  }
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['products'] }

const PUT_PRODUCT = {
  ...TAGS,
  operationId: 'putProduct',
  summary: 'Make or change a product',
  params: KeyParamsSchema,
  body: ProductInputSchema,
  response: { 200: ProductSchema, 201: ProductSchema, ...REFUSALS },
}
const GET_PRODUCT = {
  ...TAGS,
  operationId: 'getProduct',
  summary: 'A product',
  params: KeyParamsSchema,
  response: { 200: ProductSchema, ...REFUSALS },
}
const LIST_PRODUCTS = {
  ...TAGS,
  operationId: 'listProducts',
  summary: 'Products in the order of their keys',
  querystring: PageQuerySchema,
  response: { 200: PageSchema(ProductSchema), ...REFUSALS },
}
