import type { StoredEvent, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import { restoreDeduplicator } from './deduplicator.ts'
import type { Difference } from './difference.ts'
import { eventHash, hashSeed } from './event-hash.ts'

/**
 * The dedupe filter as a start now would rebuild it: of a stored event that can still be repeated it must never say
 * "certainly new".
 */
export async function createFilterCheck(
  usageStore: Pick<UsageStore, 'scanEventKeys' | 'findEvents'>,
  { partition, toOffset, nowMs }: { readonly partition: Partition; readonly toOffset: Offset; readonly nowMs: InstantMs },
): Promise<{ check(event: StoredEvent): Difference | null }> {
  const { filter } = await restoreDeduplicator(usageStore, { partition, toOffset, receivedAtMs: nowMs })
  const repeatableFromMs = nowMs - DEDUPE_HORIZON_MS
  return {
    check({ tenant, customer, source, id, offset, index, receivedAtMs }) {
      if (receivedAtMs < repeatableFromMs || offset >= toOffset) return null
      if (filter.mayHold(eventHash(hashSeed(tenant, customer), source, id), receivedAtMs)) return null
      const where = `partition ${partition}, offset ${offset}, index ${index}, event ${id} of customer ${customer}`
      return { view: 'dedupe_filter', where, expected: 'perhaps a repeat', found: 'certainly new' }
    },
  }
}
