import { Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { derivedUuid } from '../derived-uuid.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type VendorRecord, vendorRecords } from '../vendor-records.ts'
import { namedBody, OptionalText, pageJson } from './bodies.ts'
import { refuseValues } from './refuse-values.ts'

export type MetricData = {
  readonly name: string
  readonly description: string | null
  readonly aggregation_type: keyof typeof AGGREGATIONS
  readonly field_name: string | null
}

export function metricRecords({ records }: VendorKit) {
  return vendorRecords<MetricData>(records, 'lago', 'metric')
}

/** The dimension by which the usage of one subscription is told from that of others. */
export const SUBSCRIPTION_DIMENSION = 'external_subscription_id'

/** A metric is a meter, and a metered feature of the same key, by which it is charged and limited. */
export async function metricRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own } = kit
  const metrics = metricRecords(kit)

  app.post('/billable_metrics', { config: ANY_KEY }, async (request) => {
    const { code, name, description, aggregation_type, field_name, recurring } = namedBody(request, 'billable_metric', MetricSchema)
    if (recurring === true) return refuseValues({ recurring: ['value_is_invalid'] })
    const tollgate = own(request)
    if ((await unlessRefused(tollgate.meter(code), 'unknown_meter')) !== null) return refuseValues({ code: ['value_already_exist'] })
    if (aggregation_type !== 'count_agg' && field_name == null) return refuseValues({ field_name: ['value_is_mandatory'] })
    const aggregation = AGGREGATIONS[aggregation_type]
    await tollgate.putMeter(code, {
      ...{ eventType: code, aggregation, dimensions: { [SUBSCRIPTION_DIMENSION]: SUBSCRIPTION_DIMENSION } },
      ...(field_name == null || aggregation === 'count' ? {} : { value: `["${field_name}"]` }),
      ...(aggregation === 'count' || aggregation === 'unique' ? {} : { allowNegative: true }),
    })
    await tollgate.putFeature(code, { type: 'metered', meter: code, name })
    const data = { name, description: description ?? null, aggregation_type, field_name: field_name ?? null }
    return { billable_metric: metricJson(request.principal.tenant, await metrics.put(request.principal.tenant, code, data)) }
  })

  app.get<Params>('/billable_metrics/:code', { config: READS }, async (request) => {
    const { tenant } = request.principal
    const metric = await metrics.get(tenant, request.params.code)
    if (metric === null) throw new RefusalError(refuse('unknown_meter', { meter: request.params.code }))
    return { billable_metric: metricJson(tenant, metric) }
  })

  app.get('/billable_metrics', { config: READS }, async (request) => {
    const { tenant } = request.principal
    const all = await metrics.all(tenant)
    return pageJson(
      request.query,
      'billable_metrics',
      all.map((metric) => metricJson(tenant, metric)),
    )
  })
}

type Params = { Params: { readonly code: string } }
/** What is read here alone names its scope itself. */
export const READS = { scope: 'read' } as const

const AGGREGATIONS = { count_agg: 'count', sum_agg: 'sum', max_agg: 'max', unique_count_agg: 'unique', latest_agg: 'latest' } as const
const MetricSchema = Type.Object({
  ...{ code: Type.String(), name: Type.String(), description: OptionalText, field_name: OptionalText },
  aggregation_type: Type.Enum(Object.keys(AGGREGATIONS) as (keyof typeof AGGREGATIONS)[]),
  recurring: Type.Optional(Type.Boolean()),
})

export function metricId(tenant: string, code: string): string {
  return derivedUuid(tenant, 'lago metric', code)
}

function metricJson(tenant: string, { key: code, data, createdMs }: VendorRecord<MetricData>) {
  return {
    ...{ lago_id: metricId(tenant, code), code, ...data, recurring: false, rounding_function: null, rounding_precision: null },
    ...{ weighted_interval: null, expression: null, filters: [], created_at: new Date(createdMs).toISOString() },
  }
}
