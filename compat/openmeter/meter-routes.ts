import { Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { type OwnMeter, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type VendorRecord, vendorRecords } from '../vendor-records.ts'
import { bodyOf, MetadataSchema, OptionalText } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { textOf } from './lists.ts'

/** Meters, which are known by their slug; names, descriptions and paths come back as they were sent. */
export async function meterRoutes(app: HttpApp, { own, records }: VendorKit): Promise<void> {
  const described = vendorRecords<Description>(records, 'openmeter', 'meter')

  app.post('/api/v1/meters', { config: ANY_KEY }, async (request, reply) => {
    const { slug, eventType, aggregation, valueProperty, groupBy, ...texts } = bodyOf(request, MeterInputSchema)
    const tollgate = own(request)
    if ((await unlessRefused(tollgate.meter(slug), 'unknown_meter')) !== null) return refuseConflict('meter', slug)
    const dimensions = Object.entries(groupBy ?? {}).map(([name, path]) => [name, propertyOf(`groupBy.${name}`, path)])
    const meter = await tollgate.putMeter(slug, {
      ...{ eventType, aggregation: AGGREGATIONS[aggregation], dimensions: Object.fromEntries(dimensions) },
      ...(valueProperty === undefined || valueProperty === null || aggregation === 'COUNT'
        ? {}
        : { value: propertyOf('valueProperty', valueProperty) }),
      // As OpenMeter counts corrections.
      ...(aggregation === 'COUNT' || aggregation === 'UNIQUE_COUNT' ? {} : { allowNegative: true }),
    })
    const record = await described.put(request.principal.tenant, slug, { ...texts, valueProperty, groupBy })
    return reply.code(201).send(meterJson(meter, record.data))
  })

  app.get('/api/v1/meters', { config: ANY_KEY }, async (request) => {
    const { data } = await own(request).meters({ limit: METERS_MAX })
    const texts = await described.getAll(
      request.principal.tenant,
      data.map(({ key }) => key),
    )
    return data.map((meter) => meterJson(meter, texts.get(meter.key)?.data))
  })

  app.get<Params>('/api/v1/meters/:slug', { config: ANY_KEY }, async (request) => {
    const { slug } = request.params
    const meter = await own(request).meter(slug)
    return meterJson(meter, (await described.get(request.principal.tenant, slug))?.data)
  })

  app.put<Params>('/api/v1/meters/:slug', { config: ANY_KEY }, async (request) => {
    const { slug } = request.params
    const { groupBy, ...texts } = bodyOf(request, MeterUpdateSchema)
    const tollgate = own(request)
    const { key: _key, status: _status, createdAt: _created, updatedAt: _updated, ...known } = await tollgate.meter(slug)
    const before: VendorRecord<Description> | null = await described.get(request.principal.tenant, slug)
    const dimensions = Object.entries(groupBy ?? {}).map(([name, path]) => [name, propertyOf(`groupBy.${name}`, path)])
    const meter =
      groupBy === undefined
        ? await tollgate.meter(slug)
        : await tollgate.putMeter(slug, { ...known, dimensions: Object.fromEntries(dimensions) })
    const { data } = await described.put(request.principal.tenant, slug, {
      ...before?.data,
      ...texts,
      ...(groupBy === undefined ? {} : { groupBy }),
    })
    return meterJson(meter, data)
  })

  app.delete<Params>('/api/v1/meters/:slug', { config: ANY_KEY }, async (request, reply) => {
    const { slug } = request.params
    await own(request).deleteMeter(slug)
    await described.delete(request.principal.tenant, slug)
    return reply.code(204).send()
  })

  app.get<{ Params: { readonly slug: string; readonly name: string } }>(
    '/api/v1/meters/:slug/group-by/:name/values',
    { config: ANY_KEY },
    async (request) => {
      const { slug, name } = request.params
      const tollgate = own(request)
      if (!Object.hasOwn((await tollgate.meter(slug)).dimensions, name)) {
        throw new RefusalError(refuse('unknown_meter', { meter: `${slug} with group ${name}` }))
      }
      const from = textOf(request.query, 'from') ?? BEGINNING
      const { data } = await tollgate.usage(slug, { from, to: textOf(request.query, 'to') ?? FAR_AHEAD, groupBy: name })
      return [...new Set(data.flatMap(({ dimensions }) => dimensions?.[name] ?? []))].filter((value) => value !== '')
    },
  )
}

type Params = { Params: { readonly slug: string } }
export const BEGINNING = '1970-01-01T00:00:00Z'
const FAR_AHEAD = '2100-01-01T00:00:00Z'
const METERS_MAX = 1_000

const AGGREGATIONS = {
  SUM: 'sum',
  COUNT: 'count',
  UNIQUE_COUNT: 'unique',
  AVG: 'avg',
  MIN: 'min',
  MAX: 'max',
  LATEST: 'latest',
} as const
const AGGREGATION_NAMES = Object.keys(AGGREGATIONS) as (keyof typeof AGGREGATIONS)[]

const GroupBySchema = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]))
const TEXTS = { name: OptionalText, description: OptionalText, metadata: MetadataSchema }
const MeterInputSchema = Type.Object({
  slug: Type.String({ pattern: '^[a-z0-9]+(_[a-z0-9]+)*$', maxLength: 64 }),
  eventType: Type.String(),
  aggregation: Type.Enum(AGGREGATION_NAMES),
  valueProperty: OptionalText,
  groupBy: GroupBySchema,
  ...TEXTS,
})
const MeterUpdateSchema = Type.Object({ groupBy: GroupBySchema, ...TEXTS })

type Description = {
  readonly name?: string | null | undefined
  readonly description?: string | null | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined
  readonly valueProperty?: string | null | undefined
  readonly groupBy?: Readonly<Record<string, string>> | null | undefined
}

/** `$.usage.tokens` is our `usage.tokens`. */
function propertyOf(field: string, path: string): string {
  const property = path.startsWith('$') ? path.slice(path.startsWith('$.') ? 2 : 1) : ''
  if (property !== '') return property
  return refuseInput(field, `${field} must be a JSON path such as $.tokens, was '${path.slice(0, 80)}'`)
}

function meterJson(meter: OwnMeter, described: Description = {}) {
  const { key, eventType, aggregation, value, dimensions, createdAt, updatedAt } = meter
  const groupBy = Object.entries(dimensions).map(([name, path]) => [name, described.groupBy?.[name] ?? `$.${path}`])
  const first = [value ?? []].flat()[0]
  const valueProperty = described.valueProperty ?? (first === undefined ? undefined : `$.${first}`)
  return {
    ...{ id: key, slug: key, name: described.name ?? key, eventType },
    ...(described.description == null ? {} : { description: described.description }),
    ...(described.metadata == null ? {} : { metadata: described.metadata }),
    aggregation: AGGREGATION_NAMES.find((name) => AGGREGATIONS[name] === aggregation),
    ...(valueProperty === undefined ? {} : { valueProperty }),
    groupBy: Object.fromEntries(groupBy),
    ...{ createdAt, updatedAt },
  }
}
