import { Counter, type Registry } from 'prom-client'
import { type Static, Type } from 'typebox'
import { Fault } from '../../base/fault.ts'
import { invariant } from '../../base/invariant.ts'
import { type MaybePromise, whenKnown } from '../../base/maybe-promise.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { DECISION_CODES, type Decision, decide, decideUncertain } from '../../domain/entitlements/decision.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, TenantKey } from '../../domain/identity.ts'
import { type Outcome, orThrow, type Refusal, RefusalError, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import type { BalanceReader } from '../../entitlements/balance-reader.ts'
import type { EntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { type Balance, DecisionRequestSchema, DecisionSchema, DecisionsSchema } from '../../schemas/http/balance.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { meteredBalance, missingBalance, unmeteredBalance } from '../balances/balance-json.ts'

export type DecisionRoutesDeps = {
  readonly entitlements: EntitlementCache
  readonly balances: BalanceReader
  readonly registry: Registry
}

/**
 * May they? Reads only cached entitlements and counters. An unknown customer is not an error, as it has no entitlement. An
 * unknown feature is a mistake in the caller's code and is 404. When counters or entitlements cannot be trusted, the answer
 * follows the entitlement's policy for that case; 503 only for a customer whose entitlements were never known.
 */
export function decisionRoutes(deps: DecisionRoutesDeps): (app: HttpApp) => Promise<void> {
  const decisions = new Counter({
    name: 'tollgate_decisions_total',
    help: 'Decisions by their code',
    labelNames: ['code'],
    registers: [deps.registry],
  })
  const byCode = new Map(DECISION_CODES.map((code) => [code, decisions.labels(code)]))
  function counted(answer: Answer): Answer {
    byCode.get(answer.code)?.inc()
    return answer
  }
  return async (app) => {
    app.post(
      '/v1/decisions',
      {
        config: { scope: 'decide', asMe: { url: '/v1/me/decisions', scope: 'decide', operationId: 'decideForMe' } },
        // Answers have the schema's shape already; the serializer made from it would try each of their nullable fields first.
        serializerCompiler: () => JSON.stringify,
        schema: {
          tags: ['decisions'],
          summary: 'May this customer use this quantity of the feature now?',
          description:
            'Reads only. A refusal is a 200 with `allowed: false`; an unknown customer has `no_entitlement`. ' +
            'While balances cannot be trusted the code is `uncertain_denied` or `uncertain_allowed`, as `onUncertain` of the entitlement says.',
          operationId: 'decide',
          body: DecisionRequestSchema,
          response: { 200: Type.Union([DecisionSchema, DecisionsSchema]), 400: ProblemSchema, 404: ProblemSchema, 503: ProblemSchema },
        },
      },
      (request) => {
        const { customer, feature, features, quantity = '1' } = request.body
        if (features !== undefined) {
          const asked = orThrow(readSeveral(request.body, features))
          return decideSeveral(deps, request.principal.tenant, customer as CustomerKey, asked).then((answers) => {
            for (const answer of answers) counted(answer)
            return { allowed: answers.every(({ allowed }) => allowed), decisions: answers }
          })
        }
        if (feature === undefined) throw new RefusalError(wrong('feature', 'feature or features must be given'))
        const units = orThrow(parseDecisionQuantity(quantity))
        const answer = answerDecision(deps, request.principal.tenant, customer as CustomerKey, feature as FeatureKey, units)
        return whenKnown(answer, counted)
      },
    )
  }
}

type Answer = Decision & { readonly balance?: Balance }

type Asked = { readonly feature: FeatureKey; readonly units: bigint }
type SeveralInput = NonNullable<Static<typeof DecisionRequestSchema>['features']>

/** One that is named twice would be judged twice by what is there once. */
function readSeveral({ feature, quantity }: Static<typeof DecisionRequestSchema>, features: SeveralInput): Outcome<readonly Asked[]> {
  if (feature !== undefined || quantity !== undefined) return wrong('features', 'features stands in place of feature and quantity')
  const asked: Asked[] = []
  for (const [index, each] of features.entries()) {
    const units = parseDecisionQuantity(each.quantity ?? '1', `features[${index}].quantity`)
    if (typeof units !== 'bigint') return units
    if (asked.some((before) => before.feature === each.feature)) {
      return wrong(
        `features[${index}].feature`,
        `features must name each feature once, and ${each.feature} is named again; add its quantities`,
      )
    }
    asked.push({ feature: each.feature as FeatureKey, units })
  }
  return asked
}

function wrong(field: string, detail: string): Refusal {
  return refuseFields('invalid_request', [{ field, code: 'invalid_request', detail }])
}

function decideSeveral(
  deps: DecisionRoutesDeps,
  tenant: TenantKey,
  customer: CustomerKey,
  asked: readonly Asked[],
): Promise<(Answer & { readonly feature: FeatureKey })[]> {
  return Promise.all(
    asked.map(async ({ feature, units }) => ({ feature, ...(await answerDecision(deps, tenant, customer, feature, units)) })),
  )
}

function answerDecision(
  deps: DecisionRoutesDeps,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
  units: bigint,
): MaybePromise<Answer> {
  const answerUncertain = (error: unknown): Answer => {
    if (!(error instanceof Fault && error.canRetry)) throw error
    const lastKnown = deps.entitlements.lastKnown(tenant, customer)
    if (lastKnown === undefined) throw error
    return decideUncertain(lastKnown.entitlements.get(feature))
  }
  try {
    const answer = answerCertain(deps, tenant, customer, feature, units)
    return answer instanceof Promise ? answer.catch(answerUncertain) : answer
  } catch (error) {
    return answerUncertain(error)
  }
}

function answerCertain(
  { entitlements, balances }: DecisionRoutesDeps,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
  units: bigint,
): MaybePromise<Answer> {
  return whenKnown(entitlements.entitlementsOf(tenant, customer), (resolved): MaybePromise<Answer> => {
    const entitlement = resolved.entitlements.get(feature)
    if (entitlement?.type !== 'metered') {
      const decision = decide(entitlement, NOTHING_SPENT, units)
      return unspentBalance(entitlements, tenant, feature, entitlement).then((balance) => ({ ...decision, balance }))
    }
    return whenKnown(balances.spent(tenant, customer, [entitlement]), ([metered]) => {
      invariant(metered !== undefined, 'a reading holds every entitlement asked for')
      const { allowed, code } = decide(entitlement, metered.spent, units)
      return { allowed, code, balance: meteredBalance(metered) }
    })
  })
}

const NOTHING_SPENT = { usedUnits: 0n, heldUnits: 0n } as const

async function unspentBalance(
  entitlements: EntitlementCache,
  tenant: TenantKey,
  feature: FeatureKey,
  entitlement: Exclude<EffectiveEntitlement, MeteredEntitlement> | undefined,
): Promise<Balance> {
  if (entitlement !== undefined) return unmeteredBalance(entitlement)
  const known = await entitlements.feature(tenant, feature)
  if (known === null) throw new RefusalError(refuse('unknown_feature', { feature }))
  return missingBalance(feature, known.type)
}

function parseDecisionQuantity(quantity: string | number, field = 'quantity'): Outcome<bigint> {
  const units = parseQuantity(quantity)
  if (units !== null && units >= 0n) return units
  return refuseField(field, refuse('invalid_quantity', { quantity, range: 'from 0' }))
}
