import { Type } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, FeatureKey } from '../../domain/identity.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { BalanceReader } from '../../entitlements/balance-reader.ts'
import type { EntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { entitlementsOfKnown } from '../../entitlements/entitlements-of-known.ts'
import { type Balance, BalanceSchema, BalancesSchema } from '../../schemas/http/balance.ts'
import { CustomerNameSchema, type HttpApp, KeySchema, ProblemSchema, WaitQuerySchema } from '../../schemas/http/common.ts'
import type { ViewWaits } from '../../usage/view-waits.ts'
import { itemizedBalance, missingBalance, unmeteredBalance } from './balance-json.ts'

export type BalanceRoutesDeps = {
  readonly customers: Pick<CustomerStore, 'get'>
  readonly entitlements: EntitlementCache
  readonly balances: BalanceReader
  readonly waits: Pick<ViewWaits, 'counted'>
}

/**
 * What a customer has left. An unknown customer or feature is 404; a known feature without an entitlement has a balance without
 * access, and is not in the list.
 */
export function balanceRoutes(deps: BalanceRoutesDeps): (app: HttpApp) => Promise<void> {
  const { entitlements: cache, balances, waits } = deps
  return async (app) => {
    app.get(
      '/v1/customers/:key/balances',
      {
        config: { scope: 'read', asMe: { url: '/v1/me/balances', scope: 'read', operationId: 'listMyBalances' } },
        serializerCompiler: () => JSON.stringify,
        schema: {
          tags: ['balances'],
          summary: 'Balances of every feature that the customer is entitled to',
          operationId: 'listBalances',
          params: Type.Object({ key: CustomerNameSchema }),
          querystring: WaitQuerySchema,
          response: { 200: BalancesSchema, 404: ProblemSchema, 503: ProblemSchema },
        },
      },
      async (request) => {
        const { tenant } = request.principal
        const customer = request.params.key as CustomerKey
        if (request.query.waitMs !== undefined) await waits.counted(request.query.waitMs)
        const entitlements = await entitlementsOfKnown(deps, tenant, customer)
        const all = [...entitlements.values()]
        const metered = await balances.spent(
          tenant,
          customer,
          all.filter((entitlement) => entitlement.type === 'metered'),
        )
        const balanceOf = new Map(metered.map((spent) => [spent.entitlement.feature, itemizedBalance(spent)]))
        const data: Balance[] = []
        for (const entitlement of all) {
          const balance = entitlement.type === 'metered' ? balanceOf.get(entitlement.feature) : unmeteredBalance(entitlement)
          if (balance !== undefined) data.push(balance)
        }
        return { data, nextCursor: null }
      },
    )
    app.get(
      '/v1/customers/:key/balances/:feature',
      {
        config: { scope: 'read', asMe: { url: '/v1/me/balances/:feature', scope: 'read', operationId: 'getMyBalance' } },
        serializerCompiler: () => JSON.stringify,
        schema: {
          tags: ['balances'],
          summary: 'Balance of one feature',
          operationId: 'getBalance',
          params: Type.Object({ key: CustomerNameSchema, feature: KeySchema }),
          querystring: WaitQuerySchema,
          response: { 200: BalanceSchema, 404: ProblemSchema, 503: ProblemSchema },
        },
      },
      async (request) => {
        const { tenant } = request.principal
        const customer = request.params.key as CustomerKey
        const feature = request.params.feature as FeatureKey
        if (request.query.waitMs !== undefined) await waits.counted(request.query.waitMs)
        const entitlement = (await entitlementsOfKnown(deps, tenant, customer)).get(feature)
        if (entitlement === undefined) {
          const known = await cache.feature(tenant, feature)
          if (known === null) throw new RefusalError(refuse('unknown_feature', { feature }))
          return missingBalance(feature, known.type)
        }
        if (entitlement.type !== 'metered') return unmeteredBalance(entitlement)
        const [spent] = await balances.spent(tenant, customer, [entitlement])
        invariant(spent !== undefined, 'a reading holds every entitlement asked for')
        return itemizedBalance(spent)
      },
    )
  }
}
