import { Fault } from '../../base/fault.ts'
import type { Partition } from '../../domain/identity.ts'
import type { CustomerRef } from './counters.ts'

/** Requests placed and not yet taken, each customer once. In memory, as a caller that still waits asks again after a restart. */
export type TrackingRequests = {
  place(customer: CustomerRef): void
  take(partition: Partition): readonly CustomerRef[]
  onPlaced(listener: (partition: Partition) => void): void
}

export const TRACKING_REQUESTS_MAX = 100_000

export function createTrackingRequests(): TrackingRequests {
  const byPartition = new Map<Partition, Map<string, CustomerRef>>()
  const listeners: ((partition: Partition) => void)[] = []
  let placed = 0
  return {
    place(customer) {
      const { partition } = customer
      const waiting = byPartition.get(partition) ?? new Map<string, CustomerRef>()
      const key = `${customer.tenant}\0${customer.customer}`
      if (!waiting.has(key)) {
        if (placed >= TRACKING_REQUESTS_MAX) throw tooMany()
        placed++
        waiting.set(key, customer)
        byPartition.set(partition, waiting)
      }
      for (const listener of listeners) queueMicrotask(() => listener(partition))
    },
    take(partition) {
      const waiting = [...(byPartition.get(partition)?.values() ?? [])]
      byPartition.delete(partition)
      placed -= waiting.length
      return waiting
    },
    onPlaced(listener) {
      listeners.push(listener)
    },
  }
}

function tooMany(): Fault {
  return new Fault('counters_unavailable', `${TRACKING_REQUESTS_MAX} customers wait to be tracked, the most that may`, {
    canRetry: true,
    publicText: 'Too many customers wait for their first balance; try again.',
  })
}
