import { NO_ENTITLEMENT_INPUTS } from '../../domain/entitlement-inputs.ts'
import type { Catalog } from './catalog.ts'
import type { CatalogSession } from './catalog-session.ts'
import { featuresWithMeters } from './features-with-meters.ts'
import { grantsOf } from './grant-table.ts'
import { openingsOf } from './opening-table.ts'
import { overridesOf } from './override-table.ts'
import { resetInstantsOf } from './reset-table.ts'
import { planVersionsOf, withPhases } from './subscription-table.ts'

/** Everything about one customer from one moment, so that no plan names a feature that the same answer lacks. */
export function entitlementInputsReader(session: CatalogSession): Pick<Catalog, 'entitlementInputs'> {
  return {
    entitlementInputs: (tenant, customer) =>
      session.snapshot(async (trx) => {
        const rows = await trx
          .selectFrom('subscriptions')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .orderBy('id')
          .execute()
        const overrides = await overridesOf(trx, tenant, customer)
        // Grants and resets are of use only beside an entitlement.
        if (rows.length === 0 && overrides.length === 0) return NO_ENTITLEMENT_INPUTS
        const subscriptions = await withPhases(trx, tenant, rows)
        const planVersions = await planVersionsOf(trx, tenant, subscriptions)
        const ofPlans = planVersions.flatMap(({ entitlements }) => entitlements.map(({ feature }) => feature))
        const { features, meters } = await featuresWithMeters(trx, tenant, [...ofPlans, ...overrides.map(({ feature }) => feature)])
        return {
          subscriptions,
          planVersions,
          features,
          meters,
          overrides,
          grants: await grantsOf(trx, tenant, customer),
          manualResets: await resetInstantsOf(trx, tenant, customer),
          openings: await openingsOf(trx, tenant, customer),
        }
      }),
  }
}
