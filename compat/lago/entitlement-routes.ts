import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { namedBody, OptionalText } from './bodies.ts'
import { ownPlanOf, planRecords } from './plans.ts'
import { refuseValues } from './refuse-values.ts'

/** Features with privileges are features of ours with a configuration; a metered one is shown with its limit, which Lago has not. */
export async function entitlementRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own } = kit
  const features = vendorRecords<FeatureData>(kit.records, 'lago', 'feature')
  const plans = planRecords(kit)

  app.post('/features', { config: ANY_KEY }, async (request) => {
    const { tenant } = request.principal
    const { code, name, description, privileges = [] } = namedBody(request, 'feature', FeatureSchema)
    const tollgate = own(request)
    if ((await unlessRefused(tollgate.feature(code), 'unknown_feature')) !== null) return refuseValues({ code: ['value_already_exist'] })
    await tollgate.putFeature(code, { type: 'config', name: name ?? code })
    const shown = privileges.map((each) => ({
      code: each.code,
      name: each.name ?? null,
      value_type: each.value_type ?? 'string',
      config: each.config ?? {},
    }))
    const { data, createdMs } = await features.put(tenant, code, {
      name: name ?? code,
      description: description ?? null,
      privileges: shown,
    })
    return { feature: { code, ...data, created_at: new Date(createdMs).toISOString() } }
  })

  for (const method of ['POST', 'PATCH'] as const) {
    app.route<CodeParams>({
      ...{ method, url: '/plans/:id/entitlements', config: ANY_KEY },
      handler: async (request) => {
        const { tenant } = request.principal
        const plan = await plans.get(tenant, request.params.id)
        if (plan === null) throw new RefusalError(refuse('unknown_plan', { plan: request.params.id }))
        const given = namedBody(request, 'entitlements', ValuesSchema)
        const data = { ...plan.data, entitlements: method === 'POST' ? given : merged(plan.data.entitlements, given) }
        await own(request).putPlan(plan.key, ownPlanOf(data))
        await plans.put(tenant, plan.key, data)
        const known = await features.getAll(tenant, Object.keys(data.entitlements))
        const shown = Object.entries(data.entitlements).map(([code, values]) => entitlementJson(code, known.get(code)?.data, values, null))
        return { entitlements: shown }
      },
    })
  }

  const ofSubscription = async (request: FastifyRequest, id: string) => {
    const { tenant } = request.principal
    const tollgate = own(request)
    const { customer, plan } = await tollgate.subscription(id)
    const { data: balances } = await tollgate.balances(customer)
    const planned = (await plans.get(tenant, plan))?.data.entitlements ?? {}
    const known = await features.getAll(
      tenant,
      balances.map(({ feature }) => feature),
    )
    const entitlements = balances.flatMap((balance) => {
      if (balance.type === 'metered') return [limitJson(balance)]
      const values = balance.value as Readonly<Record<string, unknown>> | undefined
      return balance.type === 'config' && typeof values === 'object'
        ? [entitlementJson(balance.feature, known.get(balance.feature)?.data, values, planned[balance.feature] ?? {})]
        : []
    })
    return { customer, planned, entitlements }
  }

  app.get<CodeParams>('/subscriptions/:id/entitlements', { config: ANY_KEY }, async (request) => {
    const { entitlements } = await ofSubscription(request, request.params.id)
    return { entitlements }
  })

  app.patch<CodeParams>('/subscriptions/:id/entitlements', { config: ANY_KEY }, async (request) => {
    const given = namedBody(request, 'entitlements', ValuesSchema)
    const { customer } = await ofSubscription(request, request.params.id)
    const tollgate = own(request)
    for (const [feature, values] of Object.entries(given)) {
      const { value } = await tollgate.balance(customer, feature)
      await tollgate.putOverride(customer, feature, { value: { ...(value as object | undefined), ...values } })
    }
    const { entitlements } = await ofSubscription(request, request.params.id)
    return { entitlements }
  })
}

type CodeParams = { Params: { readonly id: string } }
const PrivilegeSchema = Type.Object({
  ...{ code: Type.String(), name: OptionalText, value_type: Type.Optional(Type.Enum(['integer', 'boolean', 'string', 'select'])) },
  config: Type.Optional(Type.Object({})),
})
const FeatureSchema = Type.Object({
  ...{
    code: Type.String(),
    name: OptionalText,
    description: OptionalText,
    privileges: Type.Optional(Type.Array(PrivilegeSchema, { maxItems: 100 })),
  },
})
const ValuesSchema = Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown()))
type Values = Static<typeof ValuesSchema>
type FeatureData = {
  readonly name: string
  readonly description: string | null
  readonly privileges: readonly {
    readonly code: string
    readonly name: string | null
    readonly value_type: string
    readonly config: object
  }[]
}

function merged(known: Values, given: Values): Values {
  return { ...known, ...Object.fromEntries(Object.entries(given).map(([code, values]) => [code, { ...known[code], ...values }])) }
}

/** `planned` is what the plan gives, of a subscription; null for a plan itself. */
function entitlementJson(
  code: string,
  feature: FeatureData | undefined,
  values: Readonly<Record<string, unknown>>,
  planned: Readonly<Record<string, unknown>> | null,
) {
  const known = new Map(feature?.privileges.map((each) => [each.code, each]))
  const privileges = Object.entries(values).map(([name, value]) => {
    const { name: shownName = null, value_type = 'string', config = {} } = known.get(name) ?? {}
    const ofPlan =
      planned === null ? {} : { plan_value: planned[name] ?? null, override_value: isSame(planned[name], value) ? null : value }
    return { code: name, name: shownName, value_type, config, value, ...ofPlan }
  })
  const overrides =
    planned === null
      ? {}
      : { overrides: Object.fromEntries(Object.entries(values).filter(([name, value]) => !isSame(planned[name], value))) }
  return { code, name: feature?.name ?? code, description: feature?.description ?? null, privileges, ...overrides }
}

function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

/** A limit in the shape of privileges. */
function limitJson({ feature, limit, limitType, used, remaining, hasAccess }: Balance) {
  const privilege = (code: string, value_type: string, value: unknown) => ({
    code,
    name: null,
    value_type,
    config: {},
    value,
    plan_value: null,
    override_value: null,
  })
  const privileges = [
    ...[privilege('limit', 'string', limit), privilege('limit_type', 'string', limitType), privilege('used', 'string', used)],
    ...[privilege('remaining', 'string', remaining), privilege('has_access', 'boolean', hasAccess)],
  ]
  return { code: feature, name: feature, description: null, privileges, overrides: {} }
}
