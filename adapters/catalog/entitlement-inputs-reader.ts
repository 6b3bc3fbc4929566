import type { EntitlementInputs } from '../../domain/entitlement-inputs.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import type { Catalog } from './catalog.ts'
import type { CatalogSession } from './catalog-session.ts'
import { featuresWithMeters } from './features-with-meters.ts'
import { grantsOf } from './grant-table.ts'
import { openingsOf } from './opening-table.ts'
import { overridesOf } from './override-table.ts'
import { resetInstantsOf } from './reset-table.ts'
import { byCustomer, rowsOfCustomers } from './rows-of-customers.ts'
import { planVersionsOf, withPhases } from './subscription-table.ts'

/** Everything about these customers from one moment, so that no plan names a feature that the same answer lacks. */
export function entitlementInputsReader(session: CatalogSession): Pick<Catalog, 'entitlementInputs'> {
  return {
    entitlementInputs: (tenant, customers) =>
      session.snapshot(async (trx) => {
        const rows = await rowsOfCustomers(trx, 'subscriptions', { tenant, customers, orderBy: ['id'] })
        const overrides = await overridesOf(trx, tenant, customers)
        // Grants and resets are of use only beside an entitlement.
        const entitled = [...new Set([...rows.map(({ customer }) => customer as CustomerKey), ...overrides.keys()])]
        if (entitled.length === 0) return new Map()
        const subscriptions = await withPhases(trx, tenant, rows)
        const planVersions = await planVersionsOf(trx, tenant, subscriptions)
        const ofPlans = planVersions.flatMap(({ entitlements }) => entitlements.map(({ feature }) => feature))
        const overridden = [...overrides.values()].flatMap((each) => each.map(({ feature }) => feature))
        const featuresOfAll = await featuresWithMeters(trx, tenant, [...ofPlans, ...overridden])
        const grants = await grantsOf(trx, tenant, entitled)
        const manualResets = await resetInstantsOf(trx, tenant, entitled)
        const openings = await openingsOf(trx, tenant, entitled)
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
