import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import { createBoundedMap } from '../base/bounds/bounded-map.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'
import { USAGE_READER_BOUNDS } from './usage-reader-bounds.ts'

/** Which meters are complete: a revision answers once every partition has counted the events from before it. */
export type CompleteMeters = {
  isComplete(meter: Meter): Promise<boolean>
  /** Throws the refusal `meter_backfilling` when it is not complete. */
  requireComplete(meter: Meter): Promise<void>
}

export type CompleteMetersOptions = {
  readonly usageStore: Pick<UsageStore, 'activations'>
  /** Partitions of the event log. */
  readonly partitions: number
}

export function createCompleteMeters({ usageStore, partitions }: CompleteMetersOptions): CompleteMeters {
  /** Complete revisions stay complete. */
  const known = createBoundedMap<string, true>(USAGE_READER_BOUNDS.completeMeters.most)

  async function isComplete({ tenant, key, revision }: Meter): Promise<boolean> {
    const name = JSON.stringify([tenant, key, revision])
    if (known.get(name)) return true
    const complete = new Set<number>()
    for (const activation of await usageStore.activations()) {
      const isOfMeter = activation.tenant === tenant && activation.meter === key && activation.revision === revision
      if (isOfMeter && activation.backfilled) complete.add(activation.partition)
    }
    if (complete.size < partitions) return false
    known.set(name, true)
    return true
  }

  return {
    isComplete,
    async requireComplete(meter) {
      if (!(await isComplete(meter))) throw new RefusalError(refuse('meter_backfilling', { meter: meter.key }))
    },
  }
}
