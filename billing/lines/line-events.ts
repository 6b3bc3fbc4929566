import { type StoredEvent, storedInstantMs, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { NANO } from '../../domain/decimal.ts'
import type { InstantMs, Offset } from '../../domain/identity.ts'
import { countedEvents } from '../../usage/counted-events.ts'
import type { CountedLine } from './counted-line.ts'

/** An event that a line counts. `quantityNano` is what it adds, and under `unique` one, however often its value was there before. */
export type LineEvent = { readonly event: StoredEvent; readonly quantityNano: bigint }
export type LineEventPage = { readonly events: readonly LineEvent[]; readonly next: LogPlace | null }
/** A place in the line's partition: the page goes on behind it. */
export type LogPlace = { readonly offset: Offset; readonly index: number }

/** The events of a line in the order of the log, a page at a time: for sums and counts they add up to its quantity. */
export async function lineEvents(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  { meter, filter, customer, stretches, partition, fromOffset, toOffset }: CountedLine,
  { limit, after }: { readonly limit: number; readonly after: LogPlace | null },
): Promise<LineEventPage> {
  const from = Math.max(fromOffset, after?.offset ?? 0) as Offset
  if (stretches.length === 0 || from >= toOffset) return { events: [], next: null }
  const scan = {
    ...{ partition, fromOffset: from, toOffset, customers: [customer] },
    fromMs: storedInstantMs(Math.min(...stretches.map(({ startMs }) => startMs))),
    toMs: storedInstantMs(Math.max(...stretches.map(({ endMs }) => endMs))),
  }
  const events: LineEvent[] = []
  for await (const { event, reading } of countedEvents(usageStore, { meter, filter }, scan)) {
    if ('unreadable' in reading || !isAfter(event, after) || !stretches.some((stretch) => holds(stretch, event.occurredAtMs))) continue
    const last = events.at(-1)?.event
    if (events.length === limit && last !== undefined) return { events, next: { offset: last.offset, index: last.index } }
    events.push({ event, quantityNano: reading.text === null ? reading.value : NANO })
  }
  return { events, next: null }
}

function isAfter({ offset, index }: StoredEvent, after: LogPlace | null): boolean {
  return after === null || offset > after.offset || (offset === after.offset && index > after.index)
}

function holds({ startMs, endMs }: { readonly startMs: InstantMs; readonly endMs: InstantMs }, atMs: InstantMs): boolean {
  return startMs <= atMs && atMs < endMs
}
