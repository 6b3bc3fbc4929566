import type { CustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { CustomerKey, TenantKey } from '../domain/identity.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'
import type { CustomerEntitlements, EntitlementCache } from './entitlement-cache.ts'

/** The customer's entitlements; throws unknown_customer (404) when there is no such customer. */
export async function entitlementsOfKnown(
  { customers, entitlements }: { readonly customers: Pick<CustomerStore, 'get'>; readonly entitlements: EntitlementCache },
  tenant: TenantKey,
  customer: CustomerKey,
): Promise<CustomerEntitlements['entitlements']> {
  const resolved = await entitlements.entitlementsOf(tenant, customer)
  if (!resolved.isKnown && (await customers.get(tenant, customer)) === null)
    throw new RefusalError(refuse('unknown_customer', { customer }))
  return resolved.entitlements
}
