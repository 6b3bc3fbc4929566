import type { PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import { phaseAt, subscriptionStatus } from '../../domain/catalog/subscription.ts'
import { tokenCustomer } from '../../domain/principal.ts'
import { PlanSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { planJson } from '../catalog/plan-routes.ts'

export type MyPlanRoutesDeps = {
  readonly plans: Pick<PlanStore, 'get'>
  readonly subscriptions: Pick<SubscriptionStore, 'list'>
  readonly clock: Pick<Clock, 'now'>
}

/** Only the plans that the customer is on: others may have been made for somebody else. */
export function myPlanRoutes({ plans, subscriptions, clock }: MyPlanRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/me/plans', { config: { tokenScope: 'read' }, schema: LIST_MY_PLANS }, async ({ principal }) => {
      const nowMs = clock.now()
      const { data } = await subscriptions.list(principal.tenant, { customer: tokenCustomer(principal) }, { limit: SUBSCRIPTIONS_MAX })
      const open = data.filter((subscription) => subscriptionStatus(subscription, nowMs) !== 'ended')
      const phases = new Map(open.map((each) => phaseAt(each, nowMs)).map((phase) => [`${phase.plan}\0${phase.planVersion}`, phase]))
      const found = await Promise.all([...phases.values()].map((phase) => plans.get(principal.tenant, phase.plan, phase.planVersion)))
      return { data: found.flatMap((plan) => (plan === null ? [] : [planJson(plan)])), nextCursor: null }
    })
  }
}

/** A customer has few that have not ended. */
const SUBSCRIPTIONS_MAX = 1_000

const LIST_MY_PLANS = {
  tags: ['me'],
  operationId: 'listMyPlans',
  summary: 'The plans that the customer is on, in the versions of its subscriptions',
  response: { 200: PageSchema(PlanSchema), ...REFUSALS },
}
