import type { EntitlementInputs } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { openingsOf } from '../allowance-openings/allowance-opening-store.ts'
import type { DatabaseSession } from '../database-session.ts'
import { featuresWithMeters } from '../features/features-with-meters.ts'
import { grantsOf } from '../grants/grant-store.ts'
import { orderTermsOf } from '../orders/order-store.ts'
import { overridesOf } from '../overrides/override-store.ts'
import { resetInstantsOf } from '../resets/reset-store.ts'
import { planVersionsOf, withPhases } from '../subscriptions/subscription-rows.ts'
import { byCustomer, rowsOfCustomers } from './rows-of-customers.ts'

export type EntitlementInputsReader = {
  /** Reads many customers at once, for little more than the cost of one. Customers without subscriptions, orders or overrides are absent. */
  read(tenant: TenantKey, customers: readonly CustomerKey[]): Promise<ReadonlyMap<CustomerKey, EntitlementInputs>>
}

/** Reads everything about these customers as of one moment, so that no plan names a feature that the same answer lacks. */
export function sqlEntitlementInputsReader(session: DatabaseSession): EntitlementInputsReader {
  return {
    read: (tenant, customers) =>
      session.snapshot(async (db) => {
        const rows = await rowsOfCustomers(db, 'subscriptions', { tenant, customers, orderBy: ['id'] })
        const overrides = await overridesOf(db, tenant, customers)
        const orders = await orderTermsOf(db, tenant, customers)
        // Grants and resets matter only to customers with an entitlement.
        const entitled = [...new Set([...rows.map(({ customer }) => customer as CustomerKey), ...overrides.keys(), ...orders.keys()])]
        if (entitled.length === 0) return new Map()
        const subscriptions = [...(await withPhases(db, tenant, rows)), ...[...orders.values()].flat()]
        const planVersions = await planVersionsOf(db, tenant, subscriptions)
        const ofPlans = planVersions.flatMap(({ entitlements }) => entitlements.map(({ feature }) => feature))
        const overridden = [...overrides.values()].flatMap((each) => each.map(({ feature }) => feature))
        const featuresOfAll = await featuresWithMeters(db, tenant, [...ofPlans, ...overridden])
        const grants = await grantsOf(db, tenant, entitled)
        const manualResets = await resetInstantsOf(db, tenant, entitled)
        const openings = await openingsOf(db, tenant, entitled)
        const subscribed = byCustomer(subscriptions, (subscription) => subscription)
        const inputsOf = (customer: CustomerKey): EntitlementInputs => {
          const ofCustomer = subscribed.get(customer) ?? []
          const named = new Set(ofCustomer.flatMap(({ phases }) => phases.map(({ plan, planVersion }) => `${planVersion} ${plan}`)))
          return {
            subscriptions: ofCustomer,
            planVersions: planVersions.filter(({ plan, version }) => named.has(`${version} ${plan}`)),
            ...featuresOfAll,
            overrides: overrides.get(customer) ?? [],
            grants: grants.get(customer) ?? [],
            manualResets: manualResets.get(customer) ?? [],
            openings: openings.get(customer) ?? [],
          }
        }
        return new Map(entitled.map((customer) => [customer, inputsOf(customer)]))
      }),
  }
}
