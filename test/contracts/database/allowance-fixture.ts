import type { Grant } from '../../../domain/allowance/grant.ts'
import { NANO } from '../../../domain/decimal.ts'
import type { OverrideTerms } from '../../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import type { DatabaseStores } from '../../../runtime/database-stores.ts'
import { START } from '../database-under-test.ts'

/** A metered feature, one that is not, and a customer. */
export async function putAllowanceCatalog(stores: DatabaseStores, tenant: TenantKey): Promise<void> {
  const meter = { eventType: 'e', aggregation: 'sum', value: ['v'], dimensions: {} } as const
  orThrow(await stores.meters.put(tenant, 'm' as MeterKey, meter))
  const named = { name: 'Feature', filter: {}, unit: null }
  orThrow(await stores.features.put(tenant, { ...named, key: TOKENS, type: 'metered', meter: 'm' as MeterKey }))
  orThrow(await stores.features.put(tenant, { ...named, key: REGION, type: 'config', meter: null }))
  await stores.customers.ensure([{ tenant, key: ACME }])
}

export const TOKENS = 'tokens' as FeatureKey
export const REGION = 'region' as FeatureKey
export const ACME = 'acme' as CustomerKey
export const TERMS: OverrideTerms = {
  feature: TOKENS,
  limit: '1000.5',
  limitType: 'hard',
  reset: 'day',
  anchor: null,
  rollover: { percent: '50', max: null },
  value: null,
}
export const GRANT: Omit<Grant, 'id' | 'voidedAtMs'> = {
  customer: ACME,
  feature: TOKENS,
  amount: 5n * NANO + 1n,
  priority: 100,
  effectiveAtMs: (START + 1) as InstantMs,
  expiresAtMs: (START + 2) as InstantMs,
  createdAtMs: START as InstantMs,
}
