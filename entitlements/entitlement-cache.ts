import { Counter, type Registry } from 'prom-client'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { EntitlementInputsReader } from '../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { FeatureReader } from '../adapters/database/features/feature-store.ts'
import type { Clock } from '../base/clock.ts'
import { createInvalidatingCache } from '../base/invalidating-cache.ts'
import type { MaybePromise } from '../base/maybe-promise.ts'
import type { Feature } from '../domain/catalog/plan.ts'
import { NO_ENTITLEMENT_INPUTS } from '../domain/entitlements/entitlement-inputs.ts'
import { type EffectiveEntitlement, entitlementsValidUntilMs, resolveEntitlements } from '../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../domain/identity.ts'
import { ENTITLEMENT_BOUNDS } from './entitlement-bounds.ts'

/** What a customer is entitled to, from now until `validUntilMs` unless the catalog changes. */
export type CustomerEntitlements = {
  readonly entitlements: ReadonlyMap<FeatureKey, EffectiveEntitlement>
  /** Whether the customer has a subscription or an override; a customer without either may not exist. */
  readonly isKnown: boolean
  /** The catalog said so at this instant. */
  readonly asOfMs: InstantMs
  readonly validUntilMs: InstantMs
}

/**
 * Resolved entitlements in memory, so that a decision costs no SQL. An answer is never older than the last change that the
 * catalog announced, even one during a load; and where changes by other processes may have gone unheard, not older than
 * `ENTITLEMENT_AGE_MS_MAX`. Not a promise when the answer is known: the caller awaits either.
 */
export type EntitlementCache = {
  /** Rejects with the catalog's fault when the catalog is needed and cannot answer. */
  entitlementsOf(tenant: TenantKey, customer: CustomerKey): MaybePromise<CustomerEntitlements>
  /** The last entitlements loaded, for when the catalog cannot answer. */
  lastKnown(tenant: TenantKey, customer: CustomerKey): CustomerEntitlements | undefined
  /** Somebody uses other entitlements than these: a change may have gone unheard here. */
  doubt(tenant: TenantKey, customer: CustomerKey): void
  feature(tenant: TenantKey, key: FeatureKey): MaybePromise<Feature | null>
}

/** The bound on how long a change by another process may go unnoticed here. Usually it takes milliseconds. */
export const ENTITLEMENT_AGE_MS_MAX = 10_000

export function createEntitlementCache(deps: {
  readonly entitlementInputs: EntitlementInputsReader
  readonly features: FeatureReader
  readonly changes: ChangeFeed
  readonly clock: Clock
  readonly registry: Registry
  readonly customersMax?: number
}): EntitlementCache {
  const { entitlementInputs, changes, clock, registry, customersMax = ENTITLEMENT_BOUNDS.customers.most } = deps
  const loads = new Counter({
    name: 'tollgate_entitlement_loads_total',
    help: 'Reads of the catalog because entitlements or a feature were not cached, by what was read',
    labelNames: ['kind'],
    registers: [registry],
  })
  const customers = createInvalidatingCache(customersMax, async (tenant: TenantKey, key): Promise<CustomerEntitlements> => {
    loads.inc({ kind: 'customer' })
    const asOfMs = clock.now()
    const customer = key as CustomerKey
    const inputs = (await entitlementInputs.read(tenant, [customer])).get(customer) ?? NO_ENTITLEMENT_INPUTS
    const nowMs = clock.now()
    const entitlements = resolveEntitlements(inputs, nowMs)
    const isKnown = inputs.subscriptions.length > 0 || inputs.overrides.length > 0
    return { entitlements, isKnown, asOfMs, validUntilMs: entitlementsValidUntilMs(inputs, entitlements, nowMs) }
  })
  const features = createInvalidatingCache(ENTITLEMENT_BOUNDS.features.most, (tenant: TenantKey, key) => {
    loads.inc({ kind: 'feature' })
    return deps.features.get(tenant, key as FeatureKey)
  })
  changes.subscribe({
    topics: CHANGE_ONE_CUSTOMER,
    changed: ({ tenant, key }) => customers.forget(tenant, key),
    missed: customers.forgetAll,
  })
  changes.subscribe({ topics: CHANGE_MANY_CUSTOMERS, changed: ({ tenant }) => customers.forgetGroup(tenant), missed: customers.forgetAll })
  changes.subscribe({ topics: ['features'], changed: ({ tenant, key }) => features.forget(tenant, key), missed: features.forgetAll })

  function isGood({ asOfMs, validUntilMs }: CustomerEntitlements): boolean {
    const nowMs = clock.now()
    return nowMs < validUntilMs && nowMs - Math.max(asOfMs, changes.heardUpToMs()) <= ENTITLEMENT_AGE_MS_MAX
  }

  return {
    entitlementsOf(tenant, customer) {
      const cached = customers.get(tenant, customer)
      return cached !== undefined && isGood(cached) ? cached : customers.load(tenant, customer)
    },
    lastKnown: (tenant, customer) => customers.lastKnown(tenant, customer),
    doubt: (tenant, customer) => customers.forget(tenant, customer),
    feature(tenant, key) {
      const cached = features.get(tenant, key)
      return cached === undefined ? features.load(tenant, key) : cached
    },
  }
}

const CHANGE_ONE_CUSTOMER = ['customers', 'subscriptions', 'overrides', 'grants', 'resets', 'allowance_openings'] as const
const CHANGE_MANY_CUSTOMERS = ['plans', 'features', 'meters'] as const
