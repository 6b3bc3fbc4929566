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

export const TRACKING_REQUESTS_MAX = COUNTER_BOUNDS.trackingRequests.most
const OF_TENANT_MAX = COUNTER_BOUNDS.trackingRequestsOfTenant.most

export function createTrackingRequests(): TrackingRequests {
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
        if (ofTenant >= OF_TENANT_MAX) throw tooMany(OF_TENANT_MAX, ` of tenant ${customer.tenant}`)
        if (placed >= TRACKING_REQUESTS_MAX) throw tooMany(TRACKING_REQUESTS_MAX, '')
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

function tooMany(most: number, whose: string): Fault {
  return new Fault('counters_unavailable', `${most} customers${whose} wait to be tracked, the most that may`, {
    canRetry: true,
    publicText: 'Too many customers wait for their first balance; try again.',
  })
}
