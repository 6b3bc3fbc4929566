import type { EventKey, StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs, Offset, TenantKey } from '../../domain/identity.ts'
import { DEDUPE_HORIZON_MS } from '../../domain/metering/usage-event.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { createDedupeFilter, type DedupeFilter, WEEK_MS } from './dedupe-filter.ts'
import { createRecentEvents, type EventIdentity, type RecentEvent, type RecentEvents } from './recent-events.ts'

/** An event about to be folded. */
export type Candidate = {
  readonly tenant: TenantKey
  readonly event: EventIdentity
  readonly hash: number
  readonly receivedAtMs: InstantMs
  readonly offset: Offset
  readonly index: number
}

/**
 * Recognises repeats in one partition: an event whose key stands at a lower position with a receipt at most 35 days before.
 * Events that are not yet stored are in an exact table; for the rest the filter says "certainly new" of nearly all, and the store
 * decides the few others: all of them after a start, until the filter is restored. The answer depends on the log alone, not on
 * what was flushed or lost when.
 */
export type Deduplicator = {
  /** Places of the events, ascending, that only the store can decide: `lookUp` them before they are counted. */
  undecided(tenant: TenantKey, events: readonly EventIdentity[], hashes: Float64Array, receivedAtMs: InstantMs): readonly number[]
  /** The candidates that the store holds from before. One query for all. */
  lookUp(candidates: readonly Candidate[]): Promise<ReadonlySet<Candidate>>
  /** Whether an event with this key was accepted lately. Asked in order, right before the event is counted. */
  isRecentRepeat(tenant: TenantKey, event: EventIdentity, hash: number, receivedAtMs: InstantMs): boolean
  remember(hash: number, event: RecentEvent): void
  /** Records below `storedNext` are in the store: moves events that are old enough from the exact table to the filter. */
  settle(storedNext: Offset, receivedAtMs: InstantMs): void
  readonly filter: DedupeFilter
  /** Whether the filter has all stored events. */
  isComplete(): boolean
}

/** The stored events that a filter is made of: everything below `toOffset` that an event received at `receivedAtMs` or later can repeat. */
export type FilterScan = { readonly partition: StoredEvent['partition']; readonly toOffset: Offset; readonly receivedAtMs: InstantMs }

/** An empty filter. */
export function createFilterFor({ receivedAtMs }: FilterScan): DedupeFilter {
  return createDedupeFilter((receivedAtMs - DEDUPE_HORIZON_MS - FLOOR_SLACK_MS) as InstantMs)
}

/** Fills a filter from the store. May be repeated after a failure: a hash that is added twice is remembered once. */
export async function restoreFilter(
  usageStore: Pick<UsageStore, 'scanEventHashes'>,
  filter: DedupeFilter,
  { partition, toOffset }: FilterScan,
  clock: Pick<Clock, 'turn'>,
  signal?: AbortSignal,
): Promise<void> {
  const floorMs = filter.oldestMs() as InstantMs
  const scanned = usageStore.scanEventHashes({ partition, toOffset, receivedFromMs: floorMs, spanMs: WEEK_MS })
  for await (const { spanStartMs, hashes } of scanned) {
    const run = filter.addRun(Math.max(spanStartMs, floorMs), hashes.length)
    for (let from = 0; from < hashes.length; from += TIDY_KEYS) {
      if (from > 0) await clock.turn()
      signal?.throwIfAborted()
      run.push(hashes.subarray(from, from + TIDY_KEYS))
    }
    run.end()
  }
  while (!filter.tidy(TIDY_KEYS)) await clock.turn()
}

/** `isComplete`: whether the filter has all stored events. Until it has, the store is asked about every event that is no recent repeat. */
export function createDeduplicator(
  usageStore: Pick<UsageStore, 'findEvents'>,
  filter: DedupeFilter,
  isComplete: () => boolean = () => true,
): Deduplicator {
  let current = createRecentEvents()
  let previous = createRecentEvents()

  function recent(hash: number, tenant: TenantKey, event: EventIdentity): InstantMs | undefined {
    return current.find(hash, tenant, event) ?? previous.find(hash, tenant, event)
  }

  return {
    filter,
    isComplete,
    undecided(tenant, events, hashes, receivedAtMs) {
      const receivedFromMs = receivedAtMs - DEDUPE_HORIZON_MS
      const places = isComplete() ? filter.maybes(hashes, receivedFromMs) : Array.from(hashes.keys())
      return places.filter((place) => {
        const event = events[place]
        const knownAtMs = event === undefined ? undefined : recent(hashes[place] ?? 0, tenant, event)
        return knownAtMs === undefined || knownAtMs < receivedFromMs
      })
    },
    async lookUp(candidates) {
      const keys = new Map(candidates.map((candidate) => [keyOf(candidate), candidate]))
      const earliestMs = candidates.reduce((least, { receivedAtMs }) => Math.min(least, receivedAtMs), Number.POSITIVE_INFINITY)
      const found = await usageStore.findEvents([...keys.keys()], wholeDay(earliestMs - DEDUPE_HORIZON_MS))
      const repeats = new Set<Candidate>()
      for (const [key, candidate] of keys) {
        let first = found.get(key)
        // The query looks from the earliest receipt on, or before. A stored event that is too old for this one may hide another that is not.
        if (first !== undefined && first.receivedAtMs < candidate.receivedAtMs - DEDUPE_HORIZON_MS) {
          first = (await usageStore.findEvents([key], (candidate.receivedAtMs - DEDUPE_HORIZON_MS) as InstantMs)).get(key)
        }
        // At the event's own position or above, an earlier life of this fold wrote the row: the event is no repeat of it.
        if (first !== undefined && isBefore(first, candidate)) repeats.add(candidate)
      }
      return repeats
    },
    isRecentRepeat(tenant, event, hash, receivedAtMs) {
      const knownAtMs = recent(hash, tenant, event)
      return knownAtMs !== undefined && receivedAtMs - knownAtMs <= DEDUPE_HORIZON_MS
    },
    remember(hash, event) {
      current.put(hash, event)
    },
    settle(storedNext, receivedAtMs) {
      filter.advance(receivedAtMs)
      if (current.size < RECENT_EVENTS_MAX) return
      const last = previous.lastOffset()
      if (last !== null && last >= storedNext) return
      retire(previous, filter)
      previous = current
      current = createRecentEvents()
    },
  }
}

/**
 * The size of each of the two tables of a partition, some 8 MB: a retry within this many events costs no query, for which its
 * partition would wait. Events not yet stored come on top.
 */
const RECENT_EVENTS_MAX = 65_536
/** Keys encoded or merged at a time: some 20 ms. */
const TIDY_KEYS = 500_000
/** Receipts are not quite in order: how far the filter reaches below the first one seen. */
const FLOOR_SLACK_MS = DAY_MS

function retire(table: RecentEvents, filter: DedupeFilter): void {
  const hashes = table.hashes()
  const receivedAtMs = table.receivedAtMs()
  for (let index = 0; index < hashes.length; index++) filter.add(hashes[index] ?? 0, receivedAtMs[index] ?? 0)
}

/** Rounded to whole days, so that look-ups of one day ask from the same instant on. */
function wholeDay(atMs: number): InstantMs {
  return (Math.floor(atMs / DAY_MS) * DAY_MS) as InstantMs
}

function keyOf({ tenant, event }: Candidate): EventKey {
  return { tenant, customer: event.customer, source: event.source, id: event.id }
}

function isBefore(position: { readonly offset: Offset; readonly index: number }, candidate: Candidate): boolean {
  return position.offset < candidate.offset || (position.offset === candidate.offset && position.index < candidate.index)
}
