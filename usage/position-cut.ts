import type { CutOffs, MeterActivation, UsageStore, WindowBeyond } from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { MINUTE_MS } from '../domain/time/durations.ts'
import type { CountedEvent } from './counted-events.ts'

/**
 * The rows that a cut-off cuts. A window's row holds its chunk's total, and as version the last offset folded in: below the
 * cut-off the row counts as it is, otherwise its events below the cut-off count instead. All of them lie in the chunk of the
 * cut-off.
 */
export type PositionCut = {
  /** Whether the event belongs to a window that was folded further, and lies below the cut-off. */
  holds(counted: CountedEvent): boolean
}

export async function createPositionCut(
  usageStore: Pick<UsageStore, 'activations' | 'chunkRecords'>,
  meter: Meter,
  cutOffs: CutOffs,
  beyond: readonly (WindowBeyond & { readonly customer: CustomerKey })[],
): Promise<PositionCut> {
  if (beyond.length === 0) return { holds: () => false }
  const chunkRecords = usageStore.chunkRecords()
  const windows = new Set(beyond.map((window) => windowName(window.customer, window)))
  const liveFrom = liveOffsets(await usageStore.activations(), meter)
  return {
    holds({ event, dimensions }) {
      const { customer, partition, offset, occurredAtMs } = event
      const cutOff = cutOffs.get(partition) ?? 0
      if (offset >= cutOff || offset < Math.floor(cutOff / chunkRecords) * chunkRecords) return false
      // Live counts and the backfill have a row each: one may be cut where the other is whole.
      const isBackfilled = offset < (liveFrom.get(partition) ?? 0)
      return windows.has(windowName(customer, { windowStartMs: minuteOf(occurredAtMs), dimensions, partition, isBackfilled }))
    },
  }
}

/** By partition, the offset from which on the revision was counted live. */
function liveOffsets(activations: readonly MeterActivation[], { tenant, key, revision }: Meter): ReadonlyMap<Partition, Offset> {
  const ofMeter = activations.filter((each) => each.revision === revision && each.tenant === tenant && each.meter === key)
  return new Map(ofMeter.map(({ partition, fromOffset }) => [partition, fromOffset]))
}

function windowName(customer: CustomerKey, { windowStartMs, dimensions, partition, isBackfilled }: WindowBeyond): string {
  const values = Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([customer, windowStartMs, partition, isBackfilled, values])
}

export function minuteOf(instantMs: InstantMs): InstantMs {
  return (Math.floor(instantMs / MINUTE_MS) * MINUTE_MS) as InstantMs
}
