import { createBoundedMap } from '../../base/bounds/bounded-map.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { customerHash } from '../../domain/metering/partitioning.ts'
import { INGEST_BOUNDS } from '../ingest-bounds.ts'
import { createHashSet } from './hash-set.ts'

/** Finds which of some customers exist, and for which there is another with the same letters in other case. */
export type FindSimilarCustomers = (tenant: TenantKey, keys: readonly CustomerKey[]) => Promise<SimilarCustomers>
export type SimilarCustomers = { readonly existing: ReadonlySet<CustomerKey>; readonly similar: ReadonlyMap<CustomerKey, CustomerKey> }

/**
 * Remembers the customers whose events came lately, so that the catalog is asked about each once. It keeps 32-bit hashes, as it
 * is used for every event: at most once in 20,000 a new customer is taken for a familiar one and a warning is missed.
 */
export type FamiliarCustomers = {
  /** `hash`: of the tenant and the customer, which the writer computes anyway. */
  isFamiliar(hash: number): boolean
  /** Makes these customers familiar. Answers for those that do not exist yet the customer that differs in case alone. */
  meet(tenant: TenantKey, customers: readonly CustomerKey[]): Promise<ReadonlyMap<CustomerKey, CustomerKey>>
}

export const FAMILIAR_SLOTS = 2 ** 18
const NEW_CUSTOMERS_MAX = INGEST_BOUNDS.newCustomers.most
const LOOK_UPS_MAX = INGEST_BOUNDS.similarLookUps.most

export function createFamiliarCustomers(findSimilar: FindSimilarCustomers): FamiliarCustomers {
  const familiar = createHashSet(FAMILIAR_SLOTS)
  /** By letters. A customer appears in the catalog a moment after the answer to its first event; until then it is known from here. */
  const lately = createBoundedMap<string, CustomerKey>(NEW_CUSTOMERS_MAX)
  const lookUps = new Map<TenantKey, number>()

  return {
    isFamiliar: familiar.has,
    async meet(tenant, customers) {
      const alike = new Map<CustomerKey, CustomerKey>()
      for (const customer of customers) {
        const letters = `${tenant}\0${customer.toLowerCase()}`
        const first = lately.get(letters)
        if (first === undefined) lately.set(letters, customer)
        else if (first !== customer) alike.set(customer, first)
      }
      const underWay = lookUps.get(tenant) ?? 0
      // Customers that are not looked up now stay unfamiliar, and are when they are met again.
      if (underWay >= LOOK_UPS_MAX) return alike
      for (const customer of customers) familiar.add(customerHash(tenant, customer))
      lookUps.set(tenant, underWay + 1)
      try {
        const { existing, similar } = await findSimilar(tenant, customers)
        return new Map([...alike, ...similar].filter(([customer]) => !existing.has(customer)))
      } finally {
        const left = (lookUps.get(tenant) ?? 1) - 1
        if (left === 0) lookUps.delete(tenant)
        else lookUps.set(tenant, left)
      }
    },
  }
}
