import type { CustomerKey, TenantKey } from '../domain/identity.ts'

/** Finds the customers that have these strings as a subject; a string that no customer has is absent. */
export type ResolveSubjects = (tenant: TenantKey, subjects: readonly string[]) => Promise<ReadonlyMap<string, CustomerKey>>

export type SubjectCache = {
  /** Maps each of these subjects to its customer, or to null where none has it. At most one call of the catalog. */
  load(tenant: TenantKey, subjects: ReadonlySet<string>): Promise<ReadonlyMap<string, CustomerKey | null>>
  /** Forgets a tenant's subjects, as one of its customers has changed. */
  invalidate(tenant: TenantKey): void
  /** Forgets everything: changes may have gone unheard. */
  invalidateAll(): void
}

/**
 * Remembers which customer has which subject, and that none has it, which is the common answer, as most events name the
 * customer's own key. Bounded: two halves of which the older is dropped when the younger is full.
 */
export function createSubjectCache(options: { readonly resolveSubjects: ResolveSubjects; readonly entriesMax: number }): SubjectCache {
  let young = new Map<TenantKey, Map<string, CustomerKey | null>>()
  let old = new Map<TenantKey, Map<string, CustomerKey | null>>()
  let youngEntries = 0
  let generation = 0

  function remember(tenant: TenantKey, subject: string, customer: CustomerKey | null): void {
    let entries = young.get(tenant)
    if (entries === undefined) {
      entries = new Map()
      young.set(tenant, entries)
    }
    if (!entries.has(subject)) youngEntries++
    entries.set(subject, customer)
    if (youngEntries < options.entriesMax / 2) return
    old = young
    young = new Map()
    youngEntries = 0
  }

  return {
    async load(tenant, subjects) {
      const found = new Map<string, CustomerKey | null>()
      const missing: string[] = []
      const youngOfTenant = young.get(tenant)
      const oldOfTenant = old.get(tenant)
      for (const subject of subjects) {
        let customer = youngOfTenant?.get(subject)
        if (customer === undefined) {
          customer = oldOfTenant?.get(subject)
          if (customer !== undefined) remember(tenant, subject, customer)
        }
        if (customer === undefined) missing.push(subject)
        else found.set(subject, customer)
      }
      if (missing.length === 0) return found
      const asked = generation
      const resolved = await options.resolveSubjects(tenant, missing)
      for (const subject of missing) {
        const customer = resolved.get(subject) ?? null
        found.set(subject, customer)
        // An answer from before an invalidation serves this request only.
        if (asked === generation) remember(tenant, subject, customer)
      }
      return found
    },
    invalidate(tenant) {
      generation++
      youngEntries -= young.get(tenant)?.size ?? 0
      young.delete(tenant)
      old.delete(tenant)
    },
    invalidateAll() {
      generation++
      youngEntries = 0
      young = new Map()
      old = new Map()
    },
  }
}
