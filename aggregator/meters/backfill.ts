import { BACKFILL_CHUNK_BASE, type StoredEvent, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { CustomerKey, Offset, Partition } from '../../domain/identity.ts'
import { eventTypesOf } from '../../domain/metering/event-reading.ts'
import { createEventPlans } from '../fold/event-plans.ts'
import { countEvent, createFoldCustomer, createFoldState, type FoldCustomer } from '../fold/record-fold.ts'
import { closeChunk, createWindowFold, enterRecord, rowsWaiting, takeRows } from '../fold/window-fold.ts'
import type { Unfilled } from './partition-meters.ts'

/**
 * Counts the stored events of one partition for later meter revisions of one tenant and event type, by the same fold as live
 * events, into chunks of their own. A repeat after a crash writes the same rows. Returns the number of events read.
 */
export async function backfill(
  usageStore: UsageStore,
  work: { readonly partition: Partition; readonly unfilled: readonly Unfilled[] },
  isWanted: () => boolean,
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
  let customers = new Map<CustomerKey, FoldCustomer>()
  let eventsRead = 0

  async function count(events: readonly StoredEvent[]): Promise<void> {
    for (const event of events) {
      if (Math.floor(event.offset / windows.chunkRecords) !== windows.chunk) customers = new Map()
      enterRecord(windows, event.offset)
      let customer = customers.get(event.customer)
      if (customer === undefined) {
        customer = createFoldCustomer(null)
        customers.set(event.customer, customer)
      }
      countEvent(state, event, plans, customer)
    }
    if (windows.closed.length >= ROWS_PER_WRITE_MIN) await writeRows()
  }

  async function writeRows(): Promise<void> {
    const rows = takeRows(windows)
    if (rows.length > 0) await usageStore.write({ events: [], windows: rows, positions: [] })
  }

  for await (const events of usageStore.scanEvents({ tenant, types, partition, toOffset })) {
    if (!isWanted()) return eventsRead
    await count(events)
    eventsRead += events.length
  }
  closeChunk(windows)
  if (rowsWaiting(windows) > 0) await writeRows()
  return eventsRead
}

const ROWS_PER_WRITE_MIN = 20_000
