import type { StoredEvent } from '../adapters/usage-store/usage-store.ts'
import type { Difference } from './difference.ts'

/**
 * Finds an event that stands twice within the horizon. Fed in the order of the log of one partition, in which times of
 * receipt ascend but for clocks that were set back, it remembers the last of each id only.
 */
export function createRepeatCheck(horizonMs: number): { add(event: StoredEvent): Difference | null } {
  const lastById = new Map<string, { readonly receivedAtMs: number; readonly offset: number; readonly index: number }>()
  return {
    add(event) {
      const key = [event.tenant, event.customer, event.source, event.id].join('\0')
      const last = lastById.get(key)
      lastById.set(key, { receivedAtMs: event.receivedAtMs, offset: event.offset, index: event.index })
      if (last === undefined || event.receivedAtMs - last.receivedAtMs > horizonMs) return null
      return {
        view: 'events',
        where: `event ${event.id} of customer ${event.customer}, source ${event.source}, partition ${event.partition}`,
        expected: `once, at (${last.offset}, ${last.index})`,
        found: `again at (${event.offset}, ${event.index})`,
      }
    },
  }
}
