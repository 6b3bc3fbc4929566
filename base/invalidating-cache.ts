import type { TenantKey } from '../domain/identity.ts'
import { createAgingMap } from './bounded-map.ts'

/** Copies by tenant and key of what may change under them. */
export type ChangeableCache<Value> = {
  get(tenant: TenantKey, key: string): Value | undefined
  /** The last one loaded, although it may have changed since. */
  lastKnown(tenant: TenantKey, key: string): Value | undefined
  /** Joins a load of the same key that is under way and began after the last change. */
  load(tenant: TenantKey, key: string): Promise<Value>
  forget(tenant: TenantKey, key: string): void
  forgetTenant(tenant: TenantKey): void
  forgetAll(): void
}

/** The longest unused go first, half of them at once: no hit has to note itself in an order. A load that a change overtook answers those who waited for it before, and is not kept. */
export function createChangeableCache<Value>(
  entriesMax: number,
  fetch: (tenant: TenantKey, key: string) => Promise<Value>,
): ChangeableCache<Value> {
  const entries = createAgingMap<string, { readonly value: Value; readonly epoch: number }>(entriesMax)
  const loading = new Map<string, { readonly promise: Promise<Value>; readonly epoch: number }>()
  // A change of a whole tenant, or of everything, moves its epoch on: entries and loads of an older one are as good as gone.
  const epochs = new Map<TenantKey, number>()
  let epochOfAll = 0
  const epochOf = (tenant: TenantKey) => epochOfAll + (epochs.get(tenant) ?? 0)
  const nameOf = (tenant: TenantKey, key: string) => `${tenant}\0${key}`

  return {
    get(tenant, key) {
      const entry = entries.get(nameOf(tenant, key))
      return entry === undefined || entry.epoch !== epochOf(tenant) ? undefined : entry.value
    },
    lastKnown: (tenant, key) => entries.get(nameOf(tenant, key))?.value,
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
          if (isCurrent()) entries.set(name, { value, epoch })
          if (loading.get(name) === started) loading.delete(name)
        },
        () => {
          if (loading.get(name) === started) loading.delete(name)
        },
      )
      return started.promise
    },
    forget(tenant, key) {
      const name = nameOf(tenant, key)
      const entry = entries.get(name)
      if (entry !== undefined) entries.set(name, { ...entry, epoch: FORGOTTEN })
      loading.delete(name)
    },
    forgetTenant(tenant) {
      epochs.set(tenant, (epochs.get(tenant) ?? 0) + 1)
    },
    forgetAll() {
      epochOfAll++
    },
  }
}

/** Before every epoch. */
const FORGOTTEN = -1
