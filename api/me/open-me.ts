import type { CustomerTokenStore } from '../../adapters/database/customer-tokens/customer-token-store.ts'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import type { CustomerTokens } from './customer-tokens.ts'
import { myPlanRoutes } from './plan-routes.ts'
import { tokenRoutes } from './token-routes.ts'

export type MeKit = {
  readonly clock: Pick<Clock, 'now'>
  readonly stores: {
    readonly customers: Pick<CustomerStore, 'get'>
    readonly customerTokens: Pick<CustomerTokenStore, 'endAll'>
    readonly plans: Pick<PlanStore, 'get'>
    readonly subscriptions: Pick<SubscriptionStore, 'list'>
  }
  readonly customerTokens: Pick<CustomerTokens, 'issue'>
}

/** Tokens of customers, and what is under `/v1/me` alone. */
export function openMe({
  clock,
  stores: { customers, customerTokens: store, plans, subscriptions },
  customerTokens: tokens,
}: MeKit): Stage {
  return {
    name: 'me',
    async routes(app) {
      refuseUnstorableBodies(app)
      await tokenRoutes({ tokens, store, customers, clock })(app)
      await myPlanRoutes({ plans, subscriptions, clock })(app)
    },
  }
}
