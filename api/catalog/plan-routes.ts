import type { Static } from 'typebox'
import type { PlanRecord, PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { Entitlement } from '../../domain/catalog/plan.ts'
import type { PlanKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { KeyParamsSchema, PlanInputSchema, PlanQuerySchema, PlanSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { priceJson } from '../../schemas/http/price.ts'
import { ArchivableQuerySchema, archivableTimesJson } from '../../schemas/http/record-times.ts'
import { archiveRoutes } from './archive-routes.ts'
import { filterJson } from './feature-routes.ts'
import { type PlanReferences, validatePlan } from './validate-plan.ts'

export type PlanRoutesDeps = PlanReferences & { readonly plans: PlanStore }

export function planRoutes(deps: PlanRoutesDeps): (app: HttpApp) => Promise<void> {
  const { plans } = deps
  return async (app) => {
    app.put('/v1/plans/:key', { config: { scope: 'admin' }, schema: PUT_PLAN }, async (request, reply) => {
      const { tenant } = request.principal
      const plan = orThrow(await validatePlan(deps, tenant, request.params.key as PlanKey, request.body))
      const { value, result } = orThrow(await plans.put(tenant, plan))
      return reply.code(result === 'created' ? 201 : 200).send(planJson(value))
    })
    app.get('/v1/plans/:key', { config: { scope: 'read' }, schema: GET_PLAN }, async (request) => {
      const key = request.params.key as PlanKey
      return planJson(orThrow((await plans.get(request.principal.tenant, key, request.query.version)) ?? unknownPlan(key)))
    })
    app.get('/v1/plans', { config: { scope: 'read' }, schema: LIST_PLANS }, async (request) => {
      const { limit = LIMIT_DEFAULT, archived = 'false', ...rest } = request.query
      const { data, ...page } = await plans.list(request.principal.tenant, { limit, ...rest }, { archived })
      return { ...page, data: data.map(planJson) }
    })
    archiveRoutes(app, {
      ...{ collection: 'plans', name: 'Plan', scope: 'admin', params: KeyParamsSchema, answer: PlanSchema },
      ...{ store: plans, json: planJson, unknown: unknownPlan },
    })
  }
}

function unknownPlan(key: string) {
  return refuse('unknown_plan', { plan: key })
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['plans'] }

const PUT_PLAN = {
  ...TAGS,
  operationId: 'putPlan',
  summary: 'Make a plan, or its next version',
  description: 'A change makes a new version; subscriptions keep theirs until they are moved. Equal content makes none.',
  params: KeyParamsSchema,
  body: PlanInputSchema,
  response: { 200: PlanSchema, 201: PlanSchema, ...REFUSALS },
}
const GET_PLAN = {
  ...TAGS,
  operationId: 'getPlan',
  summary: 'A version of a plan, by default the latest',
  params: KeyParamsSchema,
  querystring: PlanQuerySchema,
  response: { 200: PlanSchema, ...REFUSALS },
}
const LIST_PLANS = {
  ...TAGS,
  operationId: 'listPlans',
  summary: 'Latest versions of all plans in the order of their keys',
  querystring: ArchivableQuerySchema,
  response: { 200: PageSchema(PlanSchema), ...REFUSALS },
}

export function planJson(record: PlanRecord): Static<typeof PlanSchema> {
  const { plan, charges, entitlements, minimum, credits, deliverables, prices, createdMs, updatedMs, archivedMs, ...version } = record
  return {
    key: plan,
    ...version,
    ...(minimum !== undefined && { minimum: { amount: minimum.amount, ...(minimum.counts && { counts: [...minimum.counts] }) } }),
    ...(credits !== undefined && { credits: [...credits] }),
    ...(deliverables !== undefined && { deliverables: [...deliverables] }),
    ...(prices !== undefined && { prices: [...prices] }),
    charges: charges.map(({ key, feature, filter, price, taxRates, ...bounds }) => ({
      ...{ key, feature, filter: filterJson(filter), price: priceJson(price), ...bounds },
      ...(taxRates !== undefined && { taxRates: [...taxRates] }),
    })),
    entitlements: entitlements.map(entitlementJson),
    ...archivableTimesJson({ createdMs, updatedMs, archivedMs }),
  }
}

/** Metered features have no value, others always have one. The answer can be put again. */
function entitlementJson(entitlement: Entitlement): Static<typeof PlanSchema>['entitlements'][number] {
  const { feature, value, rollover, onUncertain, ...metered } = entitlement
  const policy = onUncertain === undefined ? {} : { onUncertain }
  if (value !== null) return { feature, ...policy, value }
  return { feature, ...metered, ...(rollover === null ? {} : { rollover }), ...policy }
}
