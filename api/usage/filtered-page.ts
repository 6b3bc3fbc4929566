import type { EventQuery, StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { contentBytes } from '../../domain/metering/content-bytes.ts'
import { USAGE_BOUNDS } from './usage-bounds.ts'

export type EventPage = { readonly events: readonly StoredEvent[]; readonly goesOnAfter: StoredEvent | null }
export type EventListQuery = Omit<EventQuery, 'limit' | 'bytesMax'>

/** Which events are wanted is known once they are read, so a page ends with a number of events looked at too. */
export async function filteredPageOf(
  usageStore: Pick<UsageStore, 'events'>,
  query: EventListQuery,
  limit: number,
  isOnPage: (event: StoredEvent) => boolean,
): Promise<EventPage> {
  const events: StoredEvent[] = []
  let bytes = 0
  let last: StoredEvent | null = null
  for (let lookedAt = 0; lookedAt < EVENTS_LOOKED_AT_MAX; lookedAt += LOOKED_AT_ONCE) {
    const some: readonly StoredEvent[] = await usageStore.events({
      ...query,
      limit: LOOKED_AT_ONCE,
      bytesMax,
      ...(last === null ? {} : { after: last }),
    })
    for (const event of some) {
      last = event
      if (!isOnPage(event)) continue
      events.push(event)
      bytes += contentBytes([event])
      if (events.length >= limit || bytes >= bytesMax) return { events, goesOnAfter: event }
    }
    if (some.length < LOOKED_AT_ONCE && contentBytes(some) < bytesMax) return { events, goesOnAfter: null }
  }
  return { events, goesOnAfter: last }
}

const bytesMax = USAGE_BOUNDS.eventPage.most
const LOOKED_AT_ONCE = 2_000
const EVENTS_LOOKED_AT_MAX = USAGE_BOUNDS.eventsLookedAt.most
