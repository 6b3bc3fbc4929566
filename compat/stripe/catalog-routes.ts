import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { OwnFeature, OwnProduct } from '../own-routes.ts'
import { ANY_KEY, CREATES, type VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { type Form, listIn, mergedMetadata, neededText, queryForm, textIn } from './forms.ts'
import { idLike } from './ids.ts'
import { listJson, secondsOf } from './lists.ts'
import { priceJson, priceOf, priceRecords } from './prices.ts'

/** Products are ours; prices are kept here until a subscription is made of them; features are on or off. */
export async function catalogRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, createId } = kit
  const prices = priceRecords(kit)
  const products = productRecords(kit)

  app.post('/v1/products', { config: CREATES }, async (request) => {
    const form = (request.body ?? {}) as Form
    const key = idLike('prod', createId())
    const made = await own(request).putProduct(key, { name: neededText(form, 'name'), description: textIn(form, 'description') ?? null })
    const { data } = await products.put(request.principal.tenant, key, { metadata: mergedMetadata({}, form), features: [] })
    return productJson(made, data)
  })

  app.get<Params>('/v1/products/:id', { config: ANY_KEY }, async (request) => {
    const product = await own(request).product(request.params.id)
    return productJson(product, (await products.get(request.principal.tenant, product.key))?.data)
  })

  app.post('/v1/prices', { config: MAKES }, async (request) => {
    const form = (request.body ?? {}) as Form
    const price = priceOf(form)
    const tollgate = own(request)
    await tollgate.product(price.product)
    if (price.meter !== null) await tollgate.meter(price.meter)
    const { key: id, createdMs } = await prices.put(request.principal.tenant, idLike('price', createId()), price)
    return priceJson(id, price, Math.floor(createdMs / 1_000), listIn(form, 'expand').includes('tiers'))
  })

  app.get<Params>('/v1/prices/:id', { config: READS }, async (request) => {
    const price = await prices.get(request.principal.tenant, request.params.id)
    if (price === null) throw new RefusalError(refuse('unknown_plan', { plan: request.params.id }))
    const expand = listIn(queryForm(request.query), 'expand')
    return priceJson(price.key, price.data, Math.floor(price.createdMs / 1_000), expand.includes('tiers'))
  })

  app.get('/v1/prices', { config: READS }, async (request) => {
    const form = queryForm(request.query)
    const product = textIn(form, 'product')
    const all = (await prices.all(request.principal.tenant)).filter(({ data }) => product === undefined || data.product === product)
    const newest = all.toSorted((a, b) => b.createdMs - a.createdMs || (a.key < b.key ? 1 : -1))
    return listJson(
      '/v1/prices',
      form,
      newest.map(({ key, data, createdMs }) => priceJson(key, data, Math.floor(createdMs / 1_000))),
    )
  })

  app.post('/v1/entitlements/features', { config: CREATES }, async (request) => {
    const form = (request.body ?? {}) as Form
    const lookupKey = neededText(form, 'lookup_key')
    return featureJson(await own(request).putFeature(lookupKey, { type: 'boolean', name: neededText(form, 'name') }))
  })

  app.post<Params>('/v1/products/:id/features', { config: MAKES }, async (request) => {
    const tollgate = own(request)
    const product = await tollgate.product(request.params.id)
    const feature = await tollgate.feature(neededText((request.body ?? {}) as Form, 'entitlement_feature').replace(/^feat_/, ''))
    const { key } = product
    const known = (await products.get(request.principal.tenant, key))?.data ?? { metadata: {}, features: [] }
    await products.put(request.principal.tenant, key, { ...known, features: [...new Set([...known.features, feature.key])] })
    return { id: `prodft_${key}_${feature.key}`, object: 'product_feature', entitlement_feature: featureJson(feature), livemode: false }
  })
}

type Params = { Params: { readonly id: string } }
/** Prices are kept here alone, so no route of ours asks for the scope. */
const READS = { scope: 'read' } as const
const MAKES = { scope: 'admin', isIdempotent: true } as const

export type ProductData = { readonly metadata: Readonly<Record<string, unknown>>; readonly features: readonly string[] }

export function productRecords({ records }: VendorKit) {
  return vendorRecords<ProductData>(records, 'stripe', 'product')
}

function productJson({ key, name, description, createdAt, updatedAt, archivedAt }: OwnProduct, data?: ProductData) {
  return {
    ...{
      id: key,
      object: 'product',
      name,
      active: archivedAt === null,
      created: secondsOf(createdAt),
      updated: secondsOf(updatedAt),
      description,
    },
    ...{ default_price: null, images: [], marketing_features: [], metadata: data?.metadata ?? {}, type: 'service', livemode: false },
    ...{ package_dimensions: null, shippable: null, tax_details: null, url: null },
  }
}

function featureJson({ key, name, archivedAt }: OwnFeature) {
  const common = { object: 'entitlements.feature', lookup_key: key, name, active: archivedAt === null }
  return { id: `feat_${key}`, ...common, metadata: {}, livemode: false }
}
