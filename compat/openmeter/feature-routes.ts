import { Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { type OwnFeature, unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { bodyOf, MetadataSchema, OptionalText } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { cutPage, pageOf, textOf } from './lists.ts'

/**
 * Features. One without a meter may be given as boolean or with a configuration, which Tollgate tells apart when it is made: it is
 * made with a configuration, and a boolean entitlement to it is the value `true`.
 */
export async function featureRoutes(app: HttpApp, { own, records }: VendorKit): Promise<void> {
  const described = vendorRecords<Description>(records, 'openmeter', 'feature')

  app.post('/api/v1/features', { config: ANY_KEY }, async (request, reply) => {
    const { key, name, meterSlug, meterGroupByFilters, metadata } = bodyOf(request, FeatureInputSchema)
    const tollgate = own(request)
    if ((await unlessRefused(tollgate.feature(key), 'unknown_feature')) !== null) return refuseConflict('feature', key)
    const filter = Object.fromEntries(Object.entries(meterGroupByFilters ?? {}).map(([dimension, value]) => [dimension, [value]]))
    const feature = await tollgate.putFeature(
      key,
      meterSlug === undefined || meterSlug === null ? { name, type: 'config' } : { name, type: 'metered', meter: meterSlug, filter },
    )
    if (metadata !== undefined && metadata !== null) await described.put(request.principal.tenant, key, { metadata })
    return reply.code(201).send(featureJson(feature, { metadata: metadata ?? {} }))
  })

  app.get('/api/v1/features', { config: ANY_KEY }, async (request) => {
    const { data } = await own(request).features({
      limit: FEATURES_MAX,
      archived: textOf(request.query, 'includeArchived') === 'true' ? 'any' : 'false',
    })
    const texts = await described.getAll(
      request.principal.tenant,
      data.map(({ key }) => key),
    )
    const features = data.map((feature) => featureJson(feature, texts.get(feature.key)?.data))
    return textOf(request.query, 'page') === undefined ? features : cutPage(pageOf(request.query), features)
  })

  app.get<Params>('/api/v1/features/:key', { config: ANY_KEY }, async (request) => {
    const { key } = request.params
    const feature = await own(request).feature(key)
    return featureJson(feature, (await described.get(request.principal.tenant, key))?.data)
  })

  app.delete<Params>('/api/v1/features/:key', { config: ANY_KEY }, async (request, reply) => {
    await own(request).archiveFeature(request.params.key)
    return reply.code(204).send()
  })
}

type Params = { Params: { readonly key: string } }
const FEATURES_MAX = 1_000

const FeatureInputSchema = Type.Object({
  key: Type.String(),
  name: Type.String(),
  meterSlug: OptionalText,
  meterGroupByFilters: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  metadata: MetadataSchema,
})
type Description = { readonly metadata: Readonly<Record<string, unknown>> }

function featureJson({ key, name, meter, filter, createdAt, updatedAt, archivedAt }: OwnFeature, described?: Description) {
  const filters = Object.entries(filter).map(([dimension, values]) => [dimension, values.length === 1 ? values[0] : values])
  return {
    ...{ id: key, key, name, metadata: described?.metadata ?? {} },
    ...(meter === null ? {} : { meterSlug: meter, meterGroupByFilters: Object.fromEntries(filters) }),
    ...{ createdAt, updatedAt },
    ...(archivedAt === null ? {} : { archivedAt }),
  }
}
