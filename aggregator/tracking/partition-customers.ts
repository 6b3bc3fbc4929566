import type { Counters, CustomerRef } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { EntitlementInputs } from '../../domain/entitlements/entitlement-inputs.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, Partition, TenantKey } from '../../domain/identity.ts'
import { type HashSeed, hashSeed } from '../../domain/metering/event-hash.ts'
import { createFeatureCounter, type FeatureCounter } from '../fold/counter-fold.ts'
import { createFoldCustomer, type FoldCustomer } from '../fold/record-fold.ts'
import { entitlementInputsOf } from './entitlement-inputs-of.ts'

/** The state kept of a customer between its events. */
export type KnownCustomer = FoldCustomer & {
  readonly ref: CustomerRef
  readonly seed: HashSeed
  /** False until the counters have answered what they track of it. */
  isLoaded: boolean
}

/** Customers of one partition seen lately, a bounded number, each with the counters that follow it. */
export type PartitionCustomers = {
  /** The same object while the customer has open windows. */
  of(tenant: TenantKey, customer: CustomerKey): KnownCustomer
  /** Learns what the counters track of these customers. Returns those with counters that cannot be followed: they must be tracked anew. */
  load(customers: readonly KnownCustomer[], nowMs: InstantMs): Promise<readonly CustomerRef[]>
  /** From now on exactly these counters follow the customer. */
  follow(customer: CustomerRef, counters: readonly FeatureCounter[]): void
  /** What the counters track of the customer is not known any more, and is asked for before its next event is folded. */
  loadAgain(customer: CustomerRef): void
  /** Customers seen for the first time since the last call. */
  takeNew(): readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]
  /** Forgets customers without open windows when there are too many. */
  trim(): void
}

export function createPartitionCustomers(
  partition: Partition,
  deps: { readonly entitlementInputs: EntitlementInputsReader; readonly counters: Pick<Counters, 'tracked' | 'read'> },
): PartitionCustomers {
  const byTenant = new Map<TenantKey, Map<CustomerKey, KnownCustomer>>()
  let fresh: { tenant: TenantKey; key: CustomerKey }[] = []
  let size = 0

  function customersOf(tenant: TenantKey): Map<CustomerKey, KnownCustomer> {
    let customers = byTenant.get(tenant)
    if (customers === undefined) {
      customers = new Map()
      byTenant.set(tenant, customers)
    }
    return customers
  }

  function of(tenant: TenantKey, key: CustomerKey): KnownCustomer {
    const customers = customersOf(tenant)
    let customer = customers.get(key)
    if (customer === undefined) {
      customer = { ...createFoldCustomer(null), ref: { tenant, customer: key, partition }, seed: hashSeed(tenant, key), isLoaded: false }
      customers.set(key, customer)
      fresh.push({ tenant, key })
      size++
    }
    return customer
  }

  /** Returns the customers with a tracked counter that cannot be followed. */
  async function loadSome(some: readonly KnownCustomer[], nowMs: InstantMs): Promise<readonly KnownCustomer[]> {
    const definitions = await Promise.all(some.map(({ ref }) => deps.counters.tracked(ref)))
    const tracked = some.filter((_, index) => (definitions[index]?.size ?? 0) > 0)
    const inputsOf = await entitlementInputsOf(
      deps.entitlementInputs,
      tracked.map(({ ref }) => ref),
    )
    const followed = await Promise.all(
      some.map((customer, index) => followOne(customer, definitions[index] ?? new Map(), inputsOf(customer.ref), nowMs)),
    )
    return some.filter((_, index) => followed[index] === false)
  }

  /** True when every tracked counter can be followed. */
  async function followOne(
    customer: KnownCustomer,
    definitions: ReadonlyMap<FeatureKey, string>,
    inputs: EntitlementInputs,
    nowMs: InstantMs,
  ): Promise<boolean> {
    const { ref } = customer
    customer.counters = null
    customer.isLoaded = true
    if (definitions.size === 0) return true
    const features = trackedFeatures(inputs, nowMs).filter(({ feature, definition }) => definitions.get(feature) === definition)
    const readings = await deps.counters.read(
      ref,
      features.map(({ feature }) => ({ feature, periodStartMs: 0 as InstantMs })),
      nowMs,
    )
    const counters = features.flatMap((tracked, index) => {
      const reading = readings[index]
      return reading === undefined ? [] : [createFeatureCounter(tracked, reading.trackedFromMs)]
    })
    customer.counters = byEventType(counters)
    return counters.length === definitions.size
  }

  return {
    of,
    async load(customers, nowMs) {
      const lost: CustomerRef[] = []
      for (let from = 0; from < customers.length; from += LOADS_AT_ONCE_MAX) {
        const some = customers.slice(from, from + LOADS_AT_ONCE_MAX)
        lost.push(...(await loadSome(some, nowMs)).map(({ ref }) => ref))
      }
      return lost
    },
    follow(ref, counters) {
      const customer = byTenant.get(ref.tenant)?.get(ref.customer)
      if (customer === undefined) return
      customer.counters = byEventType(counters)
      customer.isLoaded = true
    },
    loadAgain(ref) {
      const customer = byTenant.get(ref.tenant)?.get(ref.customer)
      if (customer !== undefined) customer.isLoaded = false
    },
    takeNew() {
      const taken = fresh
      fresh = []
      return taken
    },
    trim() {
      if (size <= CUSTOMERS_MAX) return
      for (const [, customers] of byTenant) {
        for (const [key, customer] of customers) {
          if (customer.number >= 0) continue
          customers.delete(key)
          size--
        }
      }
    },
  }
}

const LOADS_AT_ONCE_MAX = 256
/** Customers with windows in the present chunk come on top. */
const CUSTOMERS_MAX = 20_000

function byEventType(counters: readonly FeatureCounter[]): ReadonlyMap<string, readonly FeatureCounter[]> | null {
  if (counters.length === 0) return null
  const byType = new Map<string, FeatureCounter[]>()
  for (const counter of counters) {
    const { eventType } = counter.tracked.meter
    byType.set(eventType, [...(byType.get(eventType) ?? []), counter])
  }
  return byType
}
