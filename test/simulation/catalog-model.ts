import type { ChangeListener } from '../../adapters/database/changes.ts'
import type { AggregatorDeps } from '../../aggregator/aggregator.ts'
import type { Entitlement, Feature, PlanVersion } from '../../domain/catalog/plan.ts'
import { type EntitlementInputs, NO_ENTITLEMENT_INPUTS } from '../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, PlanKey, ProductKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import type { Meter, MeterDefinition } from '../../domain/metering/meter.ts'
import type { Caller, Network } from './network.ts'

/** The part of a catalog that an aggregator reads: meters that come and change, and customers on one plan. */
export type CatalogModel = {
  readonly tenant: TenantKey
  meters(): readonly Meter[]
  putMeter(key: MeterKey, definition: MeterDefinition): void
  deleteMeter(key: MeterKey): void
  customers(): ReadonlySet<CustomerKey>
  inputs(customer: CustomerKey): EntitlementInputs
  portsFor(caller: Caller, network: Network): Pick<AggregatorDeps, 'changes' | 'meters' | 'customers' | 'entitlementInputs'>
}

/** `subscribers`: customers on the plan, each since its own instant. */
export function createCatalogModel(tenant: TenantKey, subscribers: ReadonlyMap<CustomerKey, InstantMs>): CatalogModel {
  const meters = new Map<MeterKey, Meter>()
  const customers = new Set<CustomerKey>()
  const listeners: { readonly caller: Caller; readonly listener: ChangeListener<'meters'> }[] = []
  let revision = 0

  function inputs(customer: CustomerKey): EntitlementInputs {
    const startMs = subscribers.get(customer)
    if (startMs === undefined) return NO_ENTITLEMENT_INPUTS
    const phases = [{ plan: PLAN.plan, planVersion: PLAN.version, startMs, endMs: null }]
    const subscription = { id: `sub_${customer}` as SubscriptionId, customer, startMs, anchorMs: startMs, endMs: null, phases }
    return {
      ...NO_ENTITLEMENT_INPUTS,
      subscriptions: [subscription],
      planVersions: [PLAN],
      features: FEATURES,
      meters: [...meters.values()],
    }
  }

  function changed(meter: MeterKey): void {
    for (const { caller, listener } of listeners) if (caller.isAlive) listener.changed({ topic: 'meters', tenant, key: meter })
  }

  return {
    tenant,
    meters: () => [...meters.values()],
    putMeter(key, definition) {
      revision++
      meters.set(key, { ...definition, tenant, key, revision })
      changed(key)
    },
    deleteMeter(key) {
      if (meters.delete(key)) changed(key)
    },
    customers: () => customers,
    inputs,
    portsFor(caller, network) {
      return {
        // An aggregator subscribes to meters and nothing else.
        changes: { subscribe: (listener) => void listeners.push({ caller, listener: listener as unknown as ChangeListener<'meters'> }) },
        meters: {
          all: () => network.call(caller, () => [...meters.values()]),
          get: (_tenant, key) => network.call(caller, () => meters.get(key) ?? null),
        },
        customers: {
          ensure: (made) =>
            network.call(caller, () => {
              for (const { key } of made) customers.add(key)
            }),
        },
        entitlementInputs: {
          read: (_tenant, asked) => network.call(caller, () => new Map(asked.map((customer) => [customer, inputs(customer)]))),
        },
      }
    },
  }
}

export const TOKENS = 'tokens' as MeterKey
export const CALLS = 'calls' as MeterKey

const ENTITLEMENT: Omit<Entitlement, 'feature' | 'reset' | 'anchor'> = { limit: '1000', limitType: 'hard', rollover: null, value: null }
const FEATURE: Omit<Feature, 'key' | 'meter' | 'filter'> = { name: '', type: 'metered', unit: null }

const FEATURES: readonly Feature[] = [
  { ...FEATURE, key: 'tokens-ab' as FeatureKey, meter: TOKENS, filter: { model: ['a', 'b'] } },
  { ...FEATURE, key: 'calls' as FeatureKey, meter: CALLS, filter: {} },
]

const PLAN: PlanVersion = {
  ...{ plan: 'plan' as PlanKey, version: 1, product: 'product' as ProductKey, name: 'Plan', currency: 'USD', interval: 'month' },
  ...{ baseFee: null, charges: [] },
  entitlements: [
    { ...ENTITLEMENT, feature: 'tokens-ab' as FeatureKey, reset: 'hour', anchor: 'subscription' },
    { ...ENTITLEMENT, feature: 'calls' as FeatureKey, reset: 'day', anchor: 'calendar' },
  ],
}
