import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { StoredEvent } from '../../adapters/usage-store/usage-store.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { createFoldState, type FoldState } from '../fold/record-fold.ts'
import { createWindowFold } from '../fold/window-fold.ts'
import { type ActivationWriter, createPartitionMeters, type PartitionMeters } from '../meters/partition-meters.ts'
import { createCustomerTracking } from '../tracking/customer-tracking.ts'
import { createPartitionCustomers, type PartitionCustomers } from '../tracking/partition-customers.ts'
import { createConfirmedCounters } from './confirmed-counters.ts'
import { createPartitionWorker, type PartitionDeps, type PartitionWorker } from './partition-worker.ts'
import { resumePoint } from './resume-point.ts'
import { createStoredFold } from './stored-fold.ts'

/** Finds where to go on in a partition and restores its state in memory. */
export async function openPartition(
  deps: PartitionDeps & { readonly eventLog: EventLog; readonly activationWriter: ActivationWriter },
  partition: Partition,
  readDefinitions: () => Promise<readonly Meter[]>,
): Promise<PartitionWorker> {
  const { usageStore, eventLog, log } = deps
  const storedNext = (await usageStore.positions()).get(partition) ?? (0 as Offset)
  // In this order: a store that is restarted in between is found not intact, or behind this position later.
  const countersPosition = await deps.counters.position(partition)
  const areCountersIntact = await deps.counters.confirm(partition, null)
  // Nothing must be read again for counters that start anew.
  const countersNext = areCountersIntact ? countersPosition : storedNext
  const logRange = await eventLog.range(partition)
  const chunkRecords = usageStore.chunkRecords()
  const point = resumePoint(partition, { storedNext, countersNext, chunkRecords, log: logRange })
  const resetsCounters = point.resetsCounters || !areCountersIntact
  if (resetsCounters) {
    await deps.counters.reset(partition, point.from)
    log.warn({ partition, countersPosition, areCountersIntact, resumeFrom: point.from }, 'counters start anew')
  }
  const foldsFrom = resetsCounters ? point.from : countersNext
  const counters = createConfirmedCounters(deps.counters, log, { partition, countersNext: foldsFrom })
  const activations = (await usageStore.activations()).filter((activation) => activation.partition === partition)
  const isNew = storedNext === 0 && countersPosition === 0 && activations.length === 0
  const activatableFrom = isNew ? point.from : logRange.next
  const meters = createPartitionMeters(partition, activations, { activatableFrom, write: deps.activationWriter })
  // Read after the activations, so that each of them counts from its offset on, and not from when this process heard of it.
  await meters.sync(await readDefinitions(), point.from)
  const windows = createWindowFold({ partition, chunkRecords, chunkBase: 0 })
  const state = createFoldState(windows, point.from, storedNext, foldsFrom)
  const customers = createPartitionCustomers(partition, { ...deps, counters })
  if (point.chunkStart < point.from) await restoreChunk(deps, state, meters, customers, point.chunkStart)
  log.info({ partition, resumeFrom: point.from, storedNext, countersNext, logNext: logRange.next }, 'partition assigned')
  const tracking = createCustomerTracking({ ...deps, counters }, { state, meters, customers, trackableFrom: logRange.next })
  return createPartitionWorker({ ...deps, counters }, { state, meters, customers, tracking })
}

/** The log has dropped the chunk's beginning, so its totals come from the stored events. */
async function restoreChunk(
  { usageStore, windowMemory }: Pick<PartitionDeps, 'usageStore' | 'windowMemory'>,
  state: FoldState,
  meters: PartitionMeters,
  customers: PartitionCustomers,
  chunkStart: Offset,
): Promise<void> {
  const { partition } = state
  const customerOf = ({ tenant, customer }: StoredEvent) => customers.of(tenant, customer)
  const fold = createStoredFold({ usageStore, state, lookup: meters, memory: windowMemory, customerOf })
  windowMemory.add(state.windows)
  try {
    for await (const events of usageStore.scanEvents({ partition, fromOffset: chunkStart, toOffset: state.next })) {
      await fold.count(events)
      customers.trim()
    }
  } finally {
    windowMemory.remove(state.windows)
  }
}
