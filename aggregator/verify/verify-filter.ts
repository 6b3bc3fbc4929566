import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'
import { DEDUPE_HORIZON_MS } from '../../domain/metering/usage-event.ts'
import { createFilterFor, restoreFilter } from '../dedupe/deduplicator.ts'
import type { Difference } from './difference.ts'

/** Checks the dedupe filter that a start would rebuild now: for a stored event that can still be repeated it must never say "certainly new". */
export async function createFilterCheck(
  usageStore: Pick<UsageStore, 'scanEventHashes'>,
  { partition, toOffset, nowMs }: { readonly partition: Partition; readonly toOffset: Offset; readonly nowMs: InstantMs },
  clock: Pick<Clock, 'turn'>,
): Promise<{ check(events: readonly StoredEvent[]): readonly Difference[] }> {
  const scan = { partition, toOffset, receivedAtMs: nowMs }
  const filter = createFilterFor(scan)
  await restoreFilter(usageStore, filter, scan, clock)
  const repeatableFromMs = nowMs - DEDUPE_HORIZON_MS
  return {
    check(events) {
      const repeatable = events.filter(({ receivedAtMs, offset }) => receivedAtMs >= repeatableFromMs && offset < toOffset)
      const hashes = Float64Array.from(repeatable, ({ tenant, customer, source, id }) => eventHash(hashSeed(tenant, customer), source, id))
      const maybes = new Set(filter.maybes(hashes, repeatableFromMs))
      return repeatable.filter((_, place) => !maybes.has(place)).map(forgotten)
    },
  }
}

function forgotten({ partition, offset, index, id, customer }: StoredEvent): Difference {
  const where = `partition ${partition}, offset ${offset}, index ${index}, event ${id} of customer ${customer}`
  return { view: 'dedupe_filter', where, expected: 'perhaps a repeat', found: 'certainly new' }
}
