import type { EventKey, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { createBatchedReads } from '../../base/batched-reads.ts'
import type { Clock } from '../../base/clock.ts'

type LookUp = { readonly keys: readonly EventKey[]; readonly receivedFromMs: Parameters<UsageStore['findEvents']>[1] }

/** Partitions that look up at the same time; each has at most one look-up under way. */
const TOGETHER_MAX = 64
const WAITING_MAX = 10_000

/** Look-ups of repeats by several partitions share one query when they ask from the same instant on, as most of a query's cost is per query. */
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
  return {
    ...usageStore,
    findEvents: (keys, receivedFromMs) => reads.read(String(receivedFromMs), { keys, receivedFromMs }),
  }
}
