import type { Static } from 'typebox'
import type { ModelCostRecord, ModelCostStore, NewModelCost } from '../../adapters/database/model-costs/model-cost-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import { isInForce } from '../../domain/model-calls/model-cost-entry.ts'
import { minorUnitDigits } from '../../domain/money.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import { createCostTable } from '../../rating/cost-table.ts'
import { validateModelCost } from '../../rating/validate-model-cost.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import * as shape from '../../schemas/http/model-costs.ts'
import { stampedOtherwise } from './stamped-otherwise.ts'

export type ModelCostRoutesDeps = {
  readonly modelCosts: ModelCostStore
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
  readonly clock: Pick<Clock, 'now'>
}

/** What providers charge for their models: revisions that are only appended to, and what a call would cost. */
export function modelCostRoutes({ modelCosts, usageStore, clock }: ModelCostRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/model-costs/:provider/:model', { config: { scope: 'admin' }, schema: PUT }, async (request, reply) => {
      const { tenant } = request.principal
      const cost = orThrow(newModelCost(request.params, request.body, clock))
      const { value, result } = orThrow(await modelCosts.append(tenant, cost))
      const isPast = cost.effectiveFromMs !== null && cost.effectiveFromMs < clock.now()
      const stampedEvents = isPast ? await stampedOtherwise(usageStore, tenant, value, await modelCosts.ofTenant(tenant)) : 0
      return reply.code(result === 'same' ? 200 : 201).send({ ...modelCostJson(value), stampedEvents })
    })
    app.get('/v1/model-costs', { config: { scope: 'read' }, schema: LIST }, async (request) => {
      const all = await modelCosts.ofTenant(request.principal.tenant)
      const atMs = request.query.at === undefined ? clock.now() : orThrow(parseInstant(request.query.at, 'at'))
      return { data: all.filter((one) => isInForce(one, all, atMs)).map(modelCostJson), nextCursor: null }
    })
    app.get('/v1/model-costs/:provider/:model', { config: { scope: 'read' }, schema: GET }, async ({ principal, params, query }) => {
      const all = await modelCosts.ofTenant(principal.tenant)
      const atMs = query.at === undefined ? clock.now() : orThrow(parseInstant(query.at, 'at'))
      const found = all.find((one) => one.provider === params.provider && one.model === params.model && isInForce(one, all, atMs))
      return modelCostJson(orThrow(found ?? refuse('unknown_model_cost', params)))
    })
    app.get(
      '/v1/model-costs/:provider/:model/revisions',
      { config: { scope: 'read' }, schema: REVISIONS },
      async ({ principal, params }) => {
        const all = await modelCosts.ofTenant(principal.tenant)
        const ofModel = all.filter(({ provider, model }) => provider === params.provider && model === params.model)
        return { data: ofModel.map(modelCostJson), nextCursor: null }
      },
    )
    app.delete('/v1/model-costs/:provider/:model', { config: { scope: 'admin' }, schema: RETIRE }, async ({ principal, params, query }) => {
      const all = await modelCosts.ofTenant(principal.tenant)
      const ofModel = all.findLast(({ provider, model }) => provider === params.provider && model === params.model)
      const latest = orThrow(ofModel ?? refuse('unknown_model_cost', params))
      const retired = { ...latest, isRetired: true, effectiveFromMs: null, reason: query.reason ?? null }
      return modelCostJson(orThrow(await modelCosts.append(principal.tenant, retired)).value)
    })
    app.post('/v1/model-costs/quote', { config: { scope: 'read' }, schema: QUOTE }, async ({ principal, body }) => {
      const all = await modelCosts.ofTenant(principal.tenant)
      const atMs = body.at === undefined ? clock.now() : orThrow(parseInstant(body.at, 'at'))
      const cost = createCostTable(all).cost({ ...body.usage, provider: body.provider, model: body.model }, atMs)
      return { ...cost, lines: 'lines' in cost ? [...cost.lines] : [], currency: all[0]?.currency ?? null }
    })
  }
}

type Params = Static<typeof shape.ModelCostParamsSchema>
type Input = Static<typeof shape.ModelCostInputSchema>

export function newModelCost({ provider, model }: Params, input: Input, clock: Pick<Clock, 'now'>): Outcome<NewModelCost> {
  const { effectiveFrom, currency = 'USD', reason = null } = input
  const terms = validateModelCost(input as Parameters<typeof validateModelCost>[0])
  if (isRefusal(terms)) return terms
  const digits = minorUnitDigits(currency)
  if (isRefusal(digits)) return refuseField('currency', digits)
  const effectiveFromMs = effectiveFrom === undefined ? null : parseInstant(effectiveFrom, 'effectiveFrom')
  if (isRefusal(effectiveFromMs)) return effectiveFromMs
  if (effectiveFromMs !== null && effectiveFromMs < clock.now() && reason === null) {
    return refuseField('reason', refuse('reason_missing', { from: instantJson(effectiveFromMs) }))
  }
  return { provider, model, ...terms, effectiveFromMs, currency, reason, isRetired: false }
}

export function modelCostJson(record: ModelCostRecord): Static<typeof shape.ModelCostSchema> {
  const { provider, model, revision, effectiveFromMs, createdMs, isRetired, currency, reason, ...terms } = record
  // Terms are frozen as they were put, whatever the types of an answer allow to change.
  const json = structuredClone(terms) as unknown as Pick<
    Static<typeof shape.ModelCostSchema>,
    'aliases' | 'rates' | 'factors' | 'free' | 'ignore'
  >
  return {
    ...{ provider, model, revision, effectiveFrom: instantJson(effectiveFromMs), currency, ...json },
    ...{ retired: isRetired, reason, createdAt: instantJson(createdMs) },
  }
}

const TAGS = { tags: ['model costs'] }
const PARAMS = { params: shape.ModelCostParamsSchema }
const PUT = {
  ...TAGS,
  ...PARAMS,
  operationId: 'putModelCost',
  summary: 'Say what a provider charges for a model, from an instant on',
  description:
    'Appends a revision; none is edited, and no event that was priced changes. In force at an instant is the revision that began last, then the one made last. Event times decide.',
  body: shape.ModelCostInputSchema,
  response: { 200: shape.PutModelCostSchema, 201: shape.PutModelCostSchema, ...REFUSALS },
}
const LIST = {
  ...TAGS,
  operationId: 'listModelCosts',
  summary: 'The costs in force at an instant',
  querystring: shape.AtQuerySchema,
  response: { 200: shape.ModelCostListSchema, ...REFUSALS },
}
const GET = {
  ...TAGS,
  ...PARAMS,
  operationId: 'getModelCost',
  summary: 'The cost of a model at an instant',
  querystring: shape.AtQuerySchema,
  response: { 200: shape.ModelCostSchema, ...REFUSALS },
}
const REVISIONS = {
  ...TAGS,
  ...PARAMS,
  operationId: 'listModelCostRevisions',
  summary: 'All revisions of a model, the first one first',
  response: { 200: shape.ModelCostListSchema, ...REFUSALS },
}
const RETIRE = {
  ...TAGS,
  ...PARAMS,
  operationId: 'retireModelCost',
  summary: 'Price nothing of a model from now on: appends a retired revision',
  querystring: shape.RetireQuerySchema,
  response: { 200: shape.ModelCostSchema, ...REFUSALS },
}
const QUOTE = {
  ...TAGS,
  operationId: 'quoteModelCost',
  summary: 'What a call would cost; stores nothing',
  body: shape.QuoteInputSchema,
  response: { 200: shape.QuoteSchema, ...REFUSALS },
}
