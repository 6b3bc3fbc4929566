import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { AdoptionStore } from '../adapters/database/customers/adoption-store.ts'
import { createInvalidatingCache } from '../base/invalidating-cache.ts'
import type { CustomerKey, TenantKey } from '../domain/identity.ts'
import { USAGE_READER_BOUNDS } from './usage-reader-bounds.ts'

/**
 * Customers of a tenant that others have adopted. Their events stand in the log and the store under the old key and, moved, under
 * the adopter's: whoever reads all customers leaves the old keys out.
 */
export type AdoptedCustomers = (tenant: TenantKey) => Promise<readonly CustomerKey[]>

export function openAdoptedCustomers(adoptions: Pick<AdoptionStore, 'adopted'>, changes: Pick<ChangeFeed, 'subscribe'>): AdoptedCustomers {
  const cache = createInvalidatingCache<TenantKey, readonly CustomerKey[]>(USAGE_READER_BOUNDS.tenants.most, (tenant) =>
    adoptions.adopted(tenant),
  )
  changes.subscribe({ topics: ['customerNames'], changed: ({ tenant }) => cache.forgetGroup(tenant), missed: cache.forgetAll })
  return async (tenant) => cache.get(tenant, '') ?? (await cache.load(tenant, ''))
}

/** The condition of a read: nothing where the customers are named, as an adopted one's name is its adopter's. */
export async function exceptAdopted(
  adopted: AdoptedCustomers,
  tenant: TenantKey,
  customers: readonly CustomerKey[] | undefined,
): Promise<{ readonly exceptCustomers?: readonly CustomerKey[] }> {
  if (customers !== undefined) return {}
  const exceptCustomers = await adopted(tenant)
  return exceptCustomers.length === 0 ? {} : { exceptCustomers }
}
