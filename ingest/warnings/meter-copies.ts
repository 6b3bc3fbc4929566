import type { Clock } from '../../base/clock.ts'
import { createInvalidatingCache } from '../../base/invalidating-cache.ts'
import type { MaybePromise } from '../../base/maybe-promise.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { INGEST_BOUNDS } from '../ingest-bounds.ts'
import { createTypeReaders, type TypeReaders } from './type-reader.ts'

/** Copies of the tenants' meters, for warnings alone: they follow changes, and ingest works without them. */
export type MeterCopies = {
  /** At once when they are known. Null when the catalog does not answer in time; the last known ones when there are any. */
  of(tenant: TenantKey): MaybePromise<TypeReaders | null>
  /** A meter of the tenant has changed. */
  forget(tenant: TenantKey): void
  forgetAll(): void
}

export function createMeterCopies(options: {
  readonly metersOf: (tenant: TenantKey) => Promise<readonly Meter[]>
  readonly clock: Pick<Clock, 'after'>
  readonly waitMsMax: number
}): MeterCopies {
  const copies = createInvalidatingCache<TenantKey, TypeReaders>(TENANTS_MAX, async (tenant) =>
    createTypeReaders(await options.metersOf(tenant)),
  )

  /** Tenants whose load has taken too long: no request waits for it again. */
  const overdue = new Set<TenantKey>()

  function loaded(tenant: TenantKey): MaybePromise<TypeReaders | null> {
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
