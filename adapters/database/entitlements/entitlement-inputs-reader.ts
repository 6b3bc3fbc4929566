import type { EntitlementInputs } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey } from '../../../domain/identity.ts'
import { openingsOf } from '../allowances/allowance-opening-store.ts'
import { grantsOf } from '../allowances/grant-table.ts'
import { overridesOf } from '../allowances/override-table.ts'
import { resetInstantsOf } from '../allowances/reset-table.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { featuresWithMeters } from '../features/features-with-meters.ts'
import { planVersionsOf, withPhases } from '../subscriptions/subscription-table.ts'
import { byCustomer, rowsOfCustomers } from './rows-of-customers.ts'

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
