import type { TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { runLoad, withinMsOf } from './load.ts'
import { portOf, whenQueryable } from './measured-server.ts'
import type { BenchContext } from './part.ts'
import { DEFAULT_WORKLOAD, type UsageWorkload } from './usage-workload.ts'

const BATCH_EVENTS = 1_000
const SPREAD_DAYS = 30
const DAY_MS = 86_400_000

/** The events that a server holds, all of them since `sinceMs`. */
export type StoredEvents = { readonly sinceMs: number; readonly stored: number }

/** Sends events over HTTP, with times that run evenly over the last 30 days, until about `events` are stored and queryable. */
export async function storeEvents(
  server: TollgateProcess,
  events: number,
  context: BenchContext,
  before: StoredEvents = { sinceMs: Date.now() - (SPREAD_DAYS + 1) * DAY_MS, stored: 0 },
  workload: UsageWorkload = DEFAULT_WORKLOAD,
): Promise<StoredEvents> {
  context.progress(`${events.toLocaleString('en')} events of ${SPREAD_DAYS} days`)
  const missing = events - before.stored
  const withinMs = withinMsOf(missing, FILLED_WITHIN_MS_LEAST)
  const load = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 8,
    requests: {
      kind: 'events',
      batchEvents: BATCH_EVENTS,
      workload,
      idPrefix: `stored${before.stored}`,
      spreadMs: SPREAD_DAYS * DAY_MS,
    },
    durationMs: withinMs,
    requestsMax: Math.ceil(missing / BATCH_EVENTS),
    requestsPerSecond: null,
  })
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  const stored = before.stored + load.newEvents
  await whenQueryable(server, before.sinceMs, stored, withinMs)
  return { sinceMs: before.sinceMs, stored }
}

/** The numbers of events among which a part measures, one after the other on the same server. */
export function storedSizes({ events, isQuick, isLarge }: BenchContext): readonly number[] {
  const sizes = isQuick ? [50_000, 100_000] : isLarge ? [MILLION, 10 * MILLION, 100 * MILLION] : [MILLION, 10 * MILLION]
  return events === null ? sizes : [...sizes.filter((size) => size < events), events]
}

/** `10 M: `, the start of a figure's label. */
export function sizeLabel(events: number): string {
  return `${Number((events / MILLION).toPrecision(2))} M: `
}

const MILLION = 1_000_000
const FILLED_WITHIN_MS_LEAST = 60_000
