import type { Customer } from '../../../domain/catalog/customer.ts'
import type { Feature, PlanVersion } from '../../../domain/catalog/plan.ts'
import type { Product } from '../../../domain/catalog/product.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, PlanKey, ProductKey, TenantKey } from '../../../domain/identity.ts'
import type { MeterDefinition } from '../../../domain/metering/meter.ts'
import { orThrow } from '../../../domain/refusal.ts'
import type { DatabaseStores } from '../../../runtime/database-stores.ts'
import { START } from '../database-under-test.ts'

/** Puts only what a test needs. */
export function catalogFixture(stores: DatabaseStores, tenant: () => TenantKey) {
  const putMeter = async (key: MeterKey, change: Partial<MeterDefinition> = {}) =>
    orThrow(await stores.meters.put(tenant(), key, { ...TOKENS_METER, ...change }))
  const putFeature = (change: Partial<Feature> = {}) => stores.features.put(tenant(), { ...TOKENS_FEATURE, ...change })
  const putPlan = (change: Partial<PlanVersion> = {}) => stores.plans.put(tenant(), { ...PRO, ...change })
  const putCustomer = (key: string, change: Partial<Customer> = {}) =>
    stores.customers.put(tenant(), { key: key as CustomerKey, name: null, email: null, subjects: [], metadata: {}, ...change })
  const subscribe = async (customer = 'acme', startMs = START) =>
    orThrow(
      await stores.subscriptions.create(tenant(), {
        customer: customer as CustomerKey,
        plan: PRO.plan,
        startMs: startMs as InstantMs,
        allowsSeveral: true,
      }),
    )
  const withPlan = async () => {
    await putMeter(TOKENS)
    orThrow(await putFeature())
    await stores.products.put(tenant(), PRODUCT)
    return orThrow(await putPlan())
  }
  const withSubscription = async () => {
    await withPlan()
    orThrow(await putCustomer('acme'))
    return await subscribe()
  }
  return { putMeter, putFeature, putPlan, putCustomer, subscribe, withPlan, withSubscription }
}

export const TOKENS = 'tokens' as MeterKey
export const TOKENS_METER: MeterDefinition = {
  eventType: 'llm.request',
  aggregation: 'sum',
  value: ['input', 'output'],
  dimensions: { model: 'model', region: 'region' },
}
export const TOKENS_FEATURE: Feature = {
  key: 'tokens' as FeatureKey,
  name: 'Tokens',
  type: 'metered',
  meter: TOKENS,
  filter: { model: ['large', 'small'] },
  unit: 'token',
}
export const PRODUCT: Product = { key: 'ai' as ProductKey, name: 'AI', description: null }
export const PRO: Omit<PlanVersion, 'version'> = {
  plan: 'pro' as PlanKey,
  product: PRODUCT.key,
  name: 'Pro',
  currency: 'EUR',
  interval: 'month',
  baseFee: '20',
  charges: [
    { key: 'eu', feature: TOKENS_FEATURE.key, filter: { region: ['eu'] }, price: { model: 'flat', unitAmount: '2.5', per: '1000' } },
  ],
  entitlements: [
    { feature: TOKENS_FEATURE.key, limit: '1000', limitType: 'soft', reset: 'month', anchor: 'subscription', rollover: null, value: null },
  ],
}
