import type { CustomerRef } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'

/** Inputs of these customers, with one read of the catalog per tenant. */
export async function entitlementInputsOf(
  entitlementInputs: EntitlementInputsReader,
  customers: readonly CustomerRef[],
): Promise<(customer: CustomerRef) => EntitlementInputs> {
  const found = new Map<CustomerRef['tenant'], ReadonlyMap<CustomerRef['customer'], EntitlementInputs>>()
  for (const [tenant, ofTenant] of Map.groupBy(customers, (each) => each.tenant)) {
    const keys = ofTenant.map(({ customer }) => customer)
    found.set(tenant, await entitlementInputs.read(tenant, keys))
  }
  return ({ tenant, customer }) => found.get(tenant)?.get(customer) ?? NO_ENTITLEMENT_INPUTS
}
