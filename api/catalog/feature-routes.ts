import type { Static } from 'typebox'
import type { FeatureRecord, FeatureStore } from '../../adapters/database/features/feature-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { Feature } from '../../domain/catalog/plan.ts'
import type { FeatureKey, MeterKey, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import { type FieldError, type Outcome, orThrow, refuse } from '../../domain/refusal.ts'
import { FeatureInputSchema, FeatureSchema, KeyParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { ArchivableQuerySchema, archivableTimesJson } from '../../schemas/http/record-times.ts'
import { refuseWrongFields } from '../wrong-fields.ts'
import { archiveRoutes } from './archive-routes.ts'
import { filterErrors } from './filter-errors.ts'

export type FeatureRoutesDeps = { readonly features: FeatureStore; readonly meters: MeterReader }

export function featureRoutes({ features, meters }: FeatureRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/features/:key', { config: { scope: 'admin' }, schema: PUT_FEATURE }, async (request, reply) => {
      const { tenant } = request.principal
      const feature = orThrow(await readFeature(meters, tenant, request.params.key as FeatureKey, request.body))
      const { value, result } = orThrow(await features.put(tenant, feature))
      return reply.code(result === 'created' ? 201 : 200).send(featureJson(value))
    })
    app.get('/v1/features/:key', { config: { scope: 'read' }, schema: GET_FEATURE }, async (request) => {
      const key = request.params.key as FeatureKey
      return featureJson(orThrow((await features.get(request.principal.tenant, key)) ?? unknownFeature(key)))
    })
    app.get('/v1/features', { config: { scope: 'read' }, schema: LIST_FEATURES }, async (request) => {
      const { limit = LIMIT_DEFAULT, archived = 'false', ...rest } = request.query
      const { data, ...page } = await features.list(request.principal.tenant, { limit, ...rest }, { archived })
      return { ...page, data: data.map(featureJson) }
    })
    archiveRoutes(app, {
      ...{ collection: 'features', name: 'Feature', scope: 'admin', params: KeyParamsSchema, answer: FeatureSchema },
      ...{ store: features, json: featureJson, unknown: unknownFeature },
    })
  }
}

function unknownFeature(key: string) {
  return refuse('unknown_feature', { feature: key })
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['features'] }

const PUT_FEATURE = {
  ...TAGS,
  operationId: 'putFeature',
  summary: 'Make or change a feature',
  description: 'A metered feature reads a meter through a filter; a boolean is on or off; a config carries a value. The type stays.',
  params: KeyParamsSchema,
  body: FeatureInputSchema,
  response: { 200: FeatureSchema, 201: FeatureSchema, ...REFUSALS },
}
const GET_FEATURE = {
  ...TAGS,
  operationId: 'getFeature',
  summary: 'A feature',
  params: KeyParamsSchema,
  response: { 200: FeatureSchema, ...REFUSALS },
}
const LIST_FEATURES = {
  ...TAGS,
  operationId: 'listFeatures',
  summary: 'Features in the order of their keys',
  querystring: ArchivableQuerySchema,
  response: { 200: PageSchema(FeatureSchema), ...REFUSALS },
}

/** The feature, or what is wrong with it. */
export async function readFeature(
  meters: MeterReader,
  tenant: TenantKey,
  key: FeatureKey,
  body: Static<typeof FeatureInputSchema>,
): Promise<Outcome<Feature>> {
  const { type, name = key, unit = null } = body
  const meterKey = (body.meter ?? null) as MeterKey | null
  const filter: DimensionFilter = body.filter ?? {}
  const errors: FieldError[] = []
  if (type === 'metered') {
    if (meterKey === null) errors.push({ field: 'meter', code: 'missing', detail: 'meter is missing: a metered feature reads one' })
    const meter = meterKey === null ? null : await meters.get(tenant, meterKey)
    // The store itself refuses an unknown meter, where no deletion can come in between.
    if (meter !== null) errors.push(...filterErrors(filter, meter, 'filter'))
  } else {
    if (meterKey !== null)
      errors.push({ field: 'meter', code: 'not_metered', detail: `meter is for metered features, and ${key} is ${type}` })
    if (Object.keys(filter).length > 0) {
      errors.push({ field: 'filter', code: 'not_metered', detail: `filter is for metered features, and ${key} is ${type}` })
    }
  }
  return refuseWrongFields(errors, 'invalid_feature') ?? { key, name, type, meter: meterKey, filter, unit }
}

function featureJson({ filter, createdMs, updatedMs, archivedMs, ...feature }: FeatureRecord): Static<typeof FeatureSchema> {
  return { ...feature, filter: filterJson(filter), ...archivableTimesJson({ createdMs, updatedMs, archivedMs }) }
}

export function filterJson(filter: DimensionFilter): Record<string, string[]> {
  return Object.fromEntries(Object.entries(filter).map(([name, values]) => [name, [...values]]))
}
