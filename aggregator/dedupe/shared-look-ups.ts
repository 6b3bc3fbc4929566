import type { EventKey, MeterRevision, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../../base/batched-reads.ts'
import type { Clock } from '../../base/clock.ts'

type LookUp = { readonly keys: readonly EventKey[]; readonly receivedFromMs: Parameters<UsageStore['findEvents']>[1] }

type SeriesLookUp = { readonly meters: readonly MeterRevision[]; readonly isBackfilled: boolean; readonly seriesMax: number }

/** Partitions that look up at the same time; each has at most one look-up under way. */
const TOGETHER_MAX = 64
const WAITING_MAX = 10_000

/**
 * Look-ups by several partitions share one query, as most of a query's cost is per query: of repeats when they ask from the same
 * instant on, and of what a meter has counted.
 */
export function shareLookUps(usageStore: UsageStore, clock: Clock): UsageStore {
  const reads = createBatchedReads<LookUp, Awaited<ReturnType<UsageStore['findEvents']>>>({
    async read(lookUps) {
      const [first] = lookUps
      if (first === undefined) return []
      const keys = lookUps.flatMap((lookUp) => lookUp.keys)
      const found = await usageStore.findEvents(keys, first.receivedFromMs)
      return lookUps.map(() => found)
    },
    itemsMax: TOGETHER_MAX,
    waitingMax: WAITING_MAX,
    clock,
  })
  const seriesReads = createBatchedReads<SeriesLookUp, readonly (readonly number[] | null)[]>({
    async read(lookUps) {
      const [first] = lookUps
      if (first === undefined) return []
      const meters = [...new Map(lookUps.flatMap((lookUp) => lookUp.meters.map((meter) => [revisionName(meter), meter]))).values()]
      const found = await usageStore.seriesOfMeters(meters, first.isBackfilled, first.seriesMax)
      const byName = new Map(meters.map((meter, at) => [revisionName(meter), found[at] ?? null]))
      return lookUps.map((lookUp) => lookUp.meters.map((meter) => byName.get(revisionName(meter)) ?? null))
    },
    itemsMax: TOGETHER_MAX,
    waitingMax: WAITING_MAX,
    clock,
  })
  return {
    ...usageStore,
    seriesOfMeters: (meters, isBackfilled, seriesMax) =>
      seriesReads.read(`${isBackfilled} ${seriesMax}`, { meters, isBackfilled, seriesMax }),
    findEvents: (keys, receivedFromMs) => reads.read(String(receivedFromMs), { keys, receivedFromMs }),
  }
}

function revisionName({ tenant, revision }: MeterRevision): string {
  return `${revision} ${tenant}`
}
