import { Fault } from '../../base/fault.ts'
import type { Partition, TenantKey } from '../../domain/identity.ts'
import { COUNTER_BOUNDS } from './counter-bounds.ts'
import type { CustomerRef } from './counters.ts'

/** Requests placed and not yet taken, each customer once. In memory, as a caller that still waits asks again after a restart. */
export type TrackingRequests = {
  place(customer: CustomerRef): void
  take(partition: Partition): readonly CustomerRef[]
  onPlaced(listener: (partition: Partition) => void): void
}

/** The most requests that may wait, of all tenants and of one: in the process, or with Redis in each partition. */
export type TrackingRequestBounds = { readonly all: number; readonly ofTenant: number }

export const TRACKING_REQUEST_BOUNDS: TrackingRequestBounds = {
  all: COUNTER_BOUNDS.trackingRequests.most,
  ofTenant: COUNTER_BOUNDS.trackingRequestsOfTenant.most,
}

export function createTrackingRequests(bounds: TrackingRequestBounds = TRACKING_REQUEST_BOUNDS): TrackingRequests {
  const byPartition = new Map<Partition, Map<string, CustomerRef>>()
  const listeners: ((partition: Partition) => void)[] = []
  const placedOf = new Map<TenantKey, number>()
  let placed = 0
  return {
    place(customer) {
      const { partition } = customer
      const waiting = byPartition.get(partition) ?? new Map<string, CustomerRef>()
      const key = `${customer.tenant}\0${customer.customer}`
      if (!waiting.has(key)) {
        const ofTenant = placedOf.get(customer.tenant) ?? 0
        if (ofTenant >= bounds.ofTenant) throw tooManyTrackingRequests('tenant', bounds)
        if (placed >= bounds.all) throw tooManyTrackingRequests('server', bounds)
        placed++
        placedOf.set(customer.tenant, ofTenant + 1)
        waiting.set(key, customer)
        byPartition.set(partition, waiting)
      }
      for (const listener of listeners) queueMicrotask(() => listener(partition))
    },
    take(partition) {
      const waiting = [...(byPartition.get(partition)?.values() ?? [])]
      byPartition.delete(partition)
      placed -= waiting.length
      for (const { tenant } of waiting) {
        const left = (placedOf.get(tenant) ?? 0) - 1
        if (left === 0) placedOf.delete(tenant)
        else placedOf.set(tenant, left)
      }
      return waiting
    },
    onPlaced(listener) {
      listeners.push(listener)
    },
  }
}

export function tooManyTrackingRequests(per: 'tenant' | 'server', { all, ofTenant }: TrackingRequestBounds): Fault {
  const text =
    per === 'tenant'
      ? `${ofTenant} customers of this tenant wait for their first balance, the most that may.`
      : `${all} customers of all tenants wait for their first balance, the most that may.`
  return new Fault('too_many_first_balances', text, { canRetry: true, publicText: `${text} Try again after Retry-After.` })
}
