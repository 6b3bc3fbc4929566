import { BACKFILL_CHUNK_BASE, type StoredEvent, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, Offset, Partition } from '../../domain/identity.ts'
import { eventTypesOf } from '../../domain/metering/event-reading.ts'
import { createEventPlans } from '../fold/event-plans.ts'
import { createFoldCustomer, createFoldState, type FoldCustomer } from '../fold/record-fold.ts'
import { closeChunk, createWindowFold } from '../fold/window-fold.ts'
import { createStoredFold } from '../partition/stored-fold.ts'
import type { WindowMemory } from '../partition/window-memory.ts'
import type { Unfilled } from './partition-meters.ts'

/**
 * Counts the stored events of one partition for later meter revisions of one tenant and event type, by the same fold as live
 * events, into chunks of their own. A repeat after a crash writes the same rows. Returns the number of events read.
 */
export async function backfill(
  usageStore: UsageStore,
  work: { readonly partition: Partition; readonly unfilled: readonly Unfilled[] },
  isWanted: () => boolean,
  memory: WindowMemory,
): Promise<number> {
  const { partition, unfilled } = work
  const [first] = unfilled
  invariant(first !== undefined, 'a backfill is of at least one meter')
  const { tenant } = first.meter
  const types = [...new Set(unfilled.flatMap(({ meter }) => eventTypesOf(meter)))]
  const toOffset = Math.max(...unfilled.map(({ activation }) => activation.fromOffset)) as Offset
  const windows = createWindowFold({ partition, chunkRecords: usageStore.chunkRecords(), chunkBase: BACKFILL_CHUNK_BASE })
  const state = createFoldState(windows, toOffset, toOffset, toOffset)
  const plans = createEventPlans()
  plans.count(unfilled.map(({ meter, activation }) => ({ meter, fromOffset: 0 as Offset, toOffset: activation.fromOffset })))
  const customers = new Map<CustomerKey, FoldCustomer>()
  const customerOf = (event: StoredEvent) => {
    const known = customers.get(event.customer) ?? createFoldCustomer(null)
    customers.set(event.customer, known)
    return known
  }
  const fold = createStoredFold({ usageStore, state, lookup: plans, memory, customerOf })
  let eventsRead = 0
  memory.add(windows)
  try {
    for await (const events of usageStore.scanEvents({ tenant, types, partition, toOffset })) {
      if (!isWanted()) return eventsRead
      await fold.count(events)
      eventsRead += events.length
      forgetSome(customers)
    }
    closeChunk(windows)
    await fold.write()
  } finally {
    memory.remove(windows)
  }
  return eventsRead
}

/** Customers with windows in memory come on top. */
const CUSTOMERS_MAX = 20_000

function forgetSome(customers: Map<CustomerKey, FoldCustomer>): void {
  if (customers.size <= CUSTOMERS_MAX) return
  for (const [key, { number }] of customers) if (number < 0) customers.delete(key)
}
