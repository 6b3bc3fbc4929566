import type { TenantKey } from '../../domain/identity.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { derivedUuid } from '../derived-uuid.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import type { VendorRecord } from '../vendor-records.ts'
import { namedBody, pageJson } from './bodies.ts'
import { metricId, metricRecords, READS } from './metric-routes.ts'
import { ownPlanOf, type PlanData, PlanSchema, PRODUCT, planRecords } from './plans.ts'
import { refuseValues } from './refuse-values.ts'

/** Plans with their charges. */
export async function planRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own } = kit
  const plans = planRecords(kit)
  const metrics = metricRecords(kit)

  app.post('/plans', { config: ANY_KEY }, async (request) => {
    const { tenant } = request.principal
    const input = namedBody(request, 'plan', PlanSchema)
    const tollgate = own(request)
    if ((await unlessRefused(tollgate.plan(input.code), 'unknown_plan')) !== null) return refuseValues({ code: ['value_already_exist'] })
    const codes = new Map((await metrics.all(tenant)).map(({ key }) => [metricId(tenant, key), key]))
    const charges = (input.charges ?? []).map((charge) => {
      const metric = codes.get(charge.billable_metric_id)
      if (metric === undefined) throw new RefusalError(refuse('unknown_meter', { meter: charge.billable_metric_id }))
      return { ...charge, metric }
    })
    const data: PlanData = { ...input, charges, entitlements: {} }
    const own_ = ownPlanOf(data)
    for (const { metric, properties } of charges) {
      const { key: _key, status: _status, createdAt: _created, updatedAt: _updated, dimensions, ...meter } = await tollgate.meter(metric)
      const groups = Object.fromEntries((properties.pricing_group_keys ?? []).map((name) => [name, name]))
      if (Object.keys(groups).some((name) => dimensions[name] === undefined))
        await tollgate.putMeter(metric, { ...meter, dimensions: { ...dimensions, ...groups } })
    }
    await tollgate.putProduct(PRODUCT, { name: 'Lago' })
    await tollgate.putPlan(input.code, own_)
    return { plan: planJson(tenant, await plans.put(tenant, input.code, data)) }
  })

  app.get<Params>('/plans/:code', { config: READS }, async (request) => {
    const { tenant } = request.principal
    const plan = await plans.get(tenant, request.params.code)
    if (plan === null) throw new RefusalError(refuse('unknown_plan', { plan: request.params.code }))
    return { plan: planJson(tenant, plan) }
  })

  app.get('/plans', { config: READS }, async (request) => {
    const { tenant } = request.principal
    const all = await plans.all(tenant)
    return pageJson(
      request.query,
      'plans',
      all.map((plan) => planJson(tenant, plan)),
    )
  })
}

type Params = { Params: { readonly code: string } }

function planJson(tenant: TenantKey, { key: code, data, createdMs }: VendorRecord<PlanData>) {
  const created_at = new Date(createdMs).toISOString()
  const { entitlements: _entitlements, charges, ...plan } = data
  return {
    ...{
      lago_id: derivedUuid(tenant, 'lago plan', code),
      ...plan,
      invoice_display_name: null,
      trial_period: 0,
      bill_charges_monthly: null,
      created_at,
    },
    charges: charges.map(({ metric, ...charge }, index) => ({
      ...{ ...charge, lago_id: derivedUuid(tenant, 'lago charge', `${code} ${index}`), lago_billable_metric_id: metricId(tenant, metric) },
      ...{
        billable_metric_code: metric,
        code: charge.code ?? metric,
        created_at,
        invoiceable: true,
        pay_in_advance: false,
        prorated: false,
      },
      ...{ min_amount_cents: 0, filters: [] },
    })),
    ...{ fixed_charges: [], taxes: [], usage_thresholds: [], entitlements: [] },
  }
}
