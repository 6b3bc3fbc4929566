import type { Counters } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { MeterActivation, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { AGGREGATOR_BOUNDS } from '../aggregator-bounds.ts'
import { backfill } from '../meters/backfill.ts'
import { createWindowMemory } from '../partition/window-memory.ts'
import { retrackCounters } from '../tracking/retrack-counters.ts'

export type ReplayOptions = {
  readonly partitions: number
  readonly usageStore: UsageStore
  readonly counters: Counters
  readonly meters: Pick<MeterStore, 'all' | 'reserveRevisions' | 'revise'>
  readonly entitlementInputs: EntitlementInputsReader
  readonly clock: Clock
  readonly isWanted: (meter: Meter) => boolean
  /** Whether no other process can fold. */
  readonly isAlone: () => boolean
  readonly onStep: (step: string) => void
}

export type ReplayReport = {
  readonly meters: number
  readonly events: number
  /** Customers whose counters were computed anew; those of others are computed on request. */
  readonly customers: number
}

/**
 * Counts the stored events anew and replaces the windows and counters that are read.
 *
 * It makes a new revision of each meter: its windows are counted beside those of the present one, by the fold of a backfill, and
 * nobody reads them until the catalog names it, in one transaction for all meters. A counter's definition includes the revision,
 * so nobody reads the earlier counters from that moment on either. A replay interrupted before that moment has changed nothing;
 * after it, the next start finds a revision that is not marked as complete, and completes it with the same rows.
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { usageStore, isWanted, onStep, isAlone } = options
  const meters = (await options.meters.all()).filter(isWanted)
  if (meters.length === 0) return { meters: 0, events: 0, customers: 0 }
  const positions = await usageStore.positions()
  const fresh = await withNewRevisions(options.meters, meters)
  const memory = createWindowMemory(AGGREGATOR_BOUNDS.windows.most)
  let events = 0
  for (const partition of partitionsOf(options)) {
    const unfilled = fresh.map((meter) => ({ meter, activation: activationOf(meter, partition, positions, false) }))
    for (const together of Map.groupBy(unfilled, ({ meter }) => JSON.stringify([meter.tenant, meter.eventType])).values()) {
      events += await backfill(usageStore, { partition, unfilled: together }, () => true, memory)
    }
    onStep(`partition ${partition}: ${meters.length} meters counted up to offset ${positions.get(partition) ?? 0}`)
  }
  const activations = (isBackfilled: boolean) =>
    fresh.flatMap((meter) => partitionsOf(options).map((partition) => activationOf(meter, partition, positions, isBackfilled)))
  await usageStore.putActivations(activations(false))
  await assertUnmoved(usageStore, positions)
  if (!isAlone()) throw overtaken('an aggregator started')
  const isSwapped = await options.meters.revise(meters.map((meter, at) => ({ meter, revision: fresh[at]?.revision ?? meter.revision })))
  if (!isSwapped) throw overtaken('a meter was changed or deleted')
  // An aggregator that started in this very moment counts the earlier events by itself, and marks the revision when it is done.
  if (!isAlone()) return { meters: meters.length, events, customers: 0 }
  await usageStore.putActivations(activations(true))
  onStep('windows swapped')
  const customers = await retrackCounters(options, positions)
  for (const meter of fresh) await usageStore.dropWindows(meter.tenant, meter.key, meter.revision)
  return { meters: meters.length, events, customers }
}

function partitionsOf({ partitions }: ReplayOptions): Partition[] {
  return Array.from({ length: partitions }, (_, number) => number as Partition)
}

async function withNewRevisions(store: ReplayOptions['meters'], meters: readonly Meter[]): Promise<readonly Meter[]> {
  const revisions = await store.reserveRevisions(meters.length)
  return meters.map((meter, at) => ({ ...meter, revision: revisions[at] ?? meter.revision }))
}

/** The store's position is where the fold goes on, so all earlier events are counted here and all later ones live. */
function activationOf(
  { tenant, key, revision }: Meter,
  partition: Partition,
  positions: ReadonlyMap<Partition, Offset>,
  backfilled: boolean,
): MeterActivation {
  return { tenant, meter: key, revision, partition, fromOffset: positions.get(partition) ?? (0 as Offset), backfilled }
}

async function assertUnmoved(usageStore: UsageStore, before: ReadonlyMap<Partition, Offset>): Promise<void> {
  const now = await usageStore.positions()
  if ([...now].some(([partition, next]) => next !== before.get(partition))) throw overtaken('the usage store has moved on')
}

function overtaken(what: string): Fault {
  return new Fault('replay_overtaken', `${what} meanwhile: nothing was swapped. Run the replay again.`, {
    canRetry: false,
    publicText: 'The replay was overtaken.',
  })
}
