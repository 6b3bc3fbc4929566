import type { Clock } from '../base/clock.ts'
import { createInvalidatingCache } from '../base/invalidating-cache.ts'
import type { MaybePromise } from '../base/maybe-promise.ts'
import type { TenantKey } from '../domain/identity.ts'
import { INGEST_BOUNDS } from './ingest-bounds.ts'

/** Copies of what the catalog has of a tenant: they follow changes, and ingest works without them. */
export type TenantCopies<Copy> = {
  /** At once when it is known. Null when the catalog does not answer in time; the last known one when there is any. */
  of(tenant: TenantKey): MaybePromise<Copy | null>
  /** Something of the tenant has changed. */
  forget(tenant: TenantKey): void
  forgetAll(): void
}

export function createTenantCopies<Copy>(options: {
  readonly load: (tenant: TenantKey) => Promise<Copy>
  readonly clock: Pick<Clock, 'after'>
  readonly waitMsMax: number
}): TenantCopies<Copy> {
  const copies = createInvalidatingCache<TenantKey, Copy>(TENANTS_MAX, options.load)

  /** Tenants whose load has taken too long: no request waits for it again. */
  const overdue = new Set<TenantKey>()

  function loaded(tenant: TenantKey): MaybePromise<Copy | null> {
    const loading = copies.load(tenant, ALL)
    const lastKnown = copies.lastKnown(tenant, ALL) ?? null
    return new Promise((resolve) => {
      const waited = () => {
        overdue.add(tenant)
        resolve(lastKnown)
      }
      const cancel = options.clock.after(overdue.has(tenant) ? 0 : options.waitMsMax, waited)
      loading
        .then(resolve, () => resolve(lastKnown))
        .finally(() => {
          overdue.delete(tenant)
          cancel()
        })
    })
  }

  return {
    of: (tenant) => copies.get(tenant, ALL) ?? loaded(tenant),
    forget: (tenant) => copies.forgetGroup(tenant),
    forgetAll: () => copies.forgetAll(),
  }
}

const TENANTS_MAX = INGEST_BOUNDS.meterCopies.most
const ALL = ''
