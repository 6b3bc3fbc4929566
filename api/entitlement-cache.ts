import { Counter, type Registry } from 'prom-client'
import type { Catalog, CatalogChange } from '../adapters/catalog/catalog.ts'
import type { Clock } from '../domain/clock.ts'
import { type EffectiveEntitlement, entitlementsValidUntilMs, resolveEntitlements } from '../domain/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../domain/identity.ts'
import type { Feature } from '../domain/plan.ts'

/** What a customer is entitled to, from now until `validUntilMs` unless the catalog changes. */
export type CustomerEntitlements = {
  readonly entitlements: ReadonlyMap<FeatureKey, EffectiveEntitlement>
  /** A customer with a subscription exists; one without may be unknown. */
  readonly hasSubscriptions: boolean
  readonly validUntilMs: InstantMs
}

/**
 * Resolved entitlements in memory, so that a decision costs no SQL. An answer is never older than the last change that
 * the catalog announced, also when the change falls into a load. Not a promise when it is known: the caller awaits either.
 */
export type EntitlementCache = {
  entitlementsOf(tenant: TenantKey, customer: CustomerKey): CustomerEntitlements | Promise<CustomerEntitlements>
  feature(tenant: TenantKey, key: FeatureKey): Feature | null | Promise<Feature | null>
}

export const CUSTOMERS_CACHED_MAX = 100_000
export const FEATURES_CACHED_MAX = 10_000

export function createEntitlementCache(deps: {
  readonly catalog: Pick<Catalog, 'entitlementInputs' | 'feature' | 'onChange'>
  readonly clock: Clock
  readonly registry: Registry
  readonly customersMax?: number
}): EntitlementCache {
  const { catalog, clock, registry, customersMax = CUSTOMERS_CACHED_MAX } = deps
  const loads = new Counter({
    name: 'tollgate_entitlement_loads_total',
    help: 'Reads of the catalog because entitlements or a feature were not cached, by what was read',
    labelNames: ['kind'],
    registers: [registry],
  })
  const customers = createChangeableCache(customersMax, async (tenant, key): Promise<CustomerEntitlements> => {
    loads.inc({ kind: 'customer' })
    const inputs = await catalog.entitlementInputs(tenant, key as CustomerKey)
    const nowMs = clock.now()
    const entitlements = resolveEntitlements(inputs, nowMs)
    return {
      entitlements,
      hasSubscriptions: inputs.subscriptions.length > 0,
      validUntilMs: entitlementsValidUntilMs(inputs, entitlements, nowMs),
    }
  })
  const features = createChangeableCache(FEATURES_CACHED_MAX, (tenant, key) => {
    loads.inc({ kind: 'feature' })
    return catalog.feature(tenant, key as FeatureKey)
  })
  catalog.onChange((change) => {
    if (change.kind === 'feature') features.forget(change.tenant, change.key)
    if (change.kind === 'subscription' || change.kind === 'customer') customers.forget(change.tenant, change.key)
    else if (changesManyCustomers(change)) customers.forgetTenant(change.tenant)
  })
  return {
    entitlementsOf(tenant, customer) {
      const cached = customers.get(tenant, customer)
      return cached !== undefined && clock.now() < cached.validUntilMs ? cached : customers.load(tenant, customer)
    },
    feature(tenant, key) {
      const cached = features.get(tenant, key)
      return cached === undefined ? features.load(tenant, key) : cached
    },
  }
}

function changesManyCustomers({ kind }: CatalogChange): boolean {
  return kind === 'plan' || kind === 'feature' || kind === 'meter'
}

type ChangeableCache<Value> = {
  get(tenant: TenantKey, key: string): Value | undefined
  /** Joins a load of the same key that is under way and began after the last change. */
  load(tenant: TenantKey, key: string): Promise<Value>
  forget(tenant: TenantKey, key: string): void
  forgetTenant(tenant: TenantKey): void
}

/** Least recently used goes first. A load that a change overtook answers those who waited for it before, and is not kept. */
function createChangeableCache<Value>(
  entriesMax: number,
  fetch: (tenant: TenantKey, key: string) => Promise<Value>,
): ChangeableCache<Value> {
  const entries = new Map<string, { readonly value: Value; readonly epoch: number }>()
  const loading = new Map<string, { readonly promise: Promise<Value>; readonly epoch: number }>()
  // A change of a whole tenant moves its epoch on: entries and loads of an older one are as good as gone.
  const epochs = new Map<TenantKey, number>()
  const epochOf = (tenant: TenantKey) => epochs.get(tenant) ?? 0
  const nameOf = (tenant: TenantKey, key: string) => `${tenant}\0${key}`

  return {
    get(tenant, key) {
      const name = nameOf(tenant, key)
      const entry = entries.get(name)
      if (entry === undefined) return undefined
      entries.delete(name)
      if (entry.epoch !== epochOf(tenant)) return undefined
      entries.set(name, entry)
      return entry.value
    },
    load(tenant, key) {
      const name = nameOf(tenant, key)
      const epoch = epochOf(tenant)
      const underWay = loading.get(name)
      if (underWay !== undefined && underWay.epoch === epoch) return underWay.promise
      const started = { promise: fetch(tenant, key), epoch }
      loading.set(name, started)
      const isCurrent = () => loading.get(name) === started && epochOf(tenant) === epoch
      started.promise.then(
        (value) => {
          if (isCurrent()) {
            entries.delete(name)
            entries.set(name, { value, epoch })
            for (const oldest of entries.keys()) {
              if (entries.size <= entriesMax) break
              entries.delete(oldest)
            }
          }
          if (loading.get(name) === started) loading.delete(name)
        },
        () => {
          if (loading.get(name) === started) loading.delete(name)
        },
      )
      return started.promise
    },
    forget(tenant, key) {
      entries.delete(nameOf(tenant, key))
      loading.delete(nameOf(tenant, key))
    },
    forgetTenant(tenant) {
      epochs.set(tenant, epochOf(tenant) + 1)
    },
  }
}
