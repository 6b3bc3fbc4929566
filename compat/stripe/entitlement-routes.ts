import type { HttpApp } from '../../schemas/http/common.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { neededText, queryForm } from './forms.ts'
import { listJson } from './lists.ts'

/** May they? A feature is listed while the customer has it; one with a hard limit is gone when that is used up. */
export async function entitlementRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  app.get('/v1/entitlements/active_entitlements', { config: ANY_KEY }, async (request) => {
    const form = queryForm(request.query)
    const customer = neededText(form, 'customer')
    const balances = await unlessRefused(own(request).balances(customer), 'unknown_customer')
    const active = (balances?.data ?? []).filter(({ hasAccess }) => hasAccess)
    return listJson(
      '/v1/entitlements/active_entitlements',
      form,
      active.map(({ feature }) => ({
        ...{ id: `ent_${customer}_${feature}`, object: 'entitlements.active_entitlement', feature: `feat_${feature}` },
        ...{ lookup_key: feature, livemode: false },
      })),
    )
  })
}
