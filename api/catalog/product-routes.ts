import type { Static } from 'typebox'
import type { ProductRecord, ProductStore } from '../../adapters/database/products/product-store.ts'
import type { ProductKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { KeyParamsSchema, ProductInputSchema, ProductSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { ArchivableQuerySchema, archivableTimesJson } from '../../schemas/http/record-times.ts'
import { archiveRoutes } from './archive-routes.ts'

export type ProductRoutesDeps = { readonly products: ProductStore }

export function productRoutes({ products }: ProductRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/products/:key', { config: { scope: 'admin' }, schema: PUT_PRODUCT }, async (request, reply) => {
      const { name, description = null } = request.body
      const product = { key: request.params.key as ProductKey, name, description }
      const { value, result } = await products.put(request.principal.tenant, product)
      return reply.code(result === 'created' ? 201 : 200).send(productJson(value))
    })
    app.get('/v1/products/:key', { config: { scope: 'read' }, schema: GET_PRODUCT }, async (request) => {
      const key = request.params.key as ProductKey
      return productJson(orThrow((await products.get(request.principal.tenant, key)) ?? unknownProduct(key)))
    })
    app.get('/v1/products', { config: { scope: 'read' }, schema: LIST_PRODUCTS }, async (request) => {
      const { limit = LIMIT_DEFAULT, archived = 'false', ...rest } = request.query
      const { data, ...page } = await products.list(request.principal.tenant, { limit, ...rest }, { archived })
      return { ...page, data: data.map(productJson) }
    })
    archiveRoutes(app, {
      ...{ collection: 'products', name: 'Product', scope: 'admin', params: KeyParamsSchema, answer: ProductSchema },
      ...{ store: products, json: productJson, unknown: unknownProduct },
    })
  }
}

function productJson({ key, name, description, ...times }: ProductRecord): Static<typeof ProductSchema> {
  return { key, name, description, ...archivableTimesJson(times) }
}

function unknownProduct(key: string) {
  return refuse('unknown_product', { product: key })
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
  querystring: ArchivableQuerySchema,
  response: { 200: PageSchema(ProductSchema), ...REFUSALS },
}
