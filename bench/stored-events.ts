import type { TollgateProcess } from '../test/support/tollgate-process.ts'
import { runLoad } from './load.ts'
import { portOf, whenQueryable } from './measured-server.ts'
import type { BenchContext } from './part.ts'
import { DEFAULT_WORKLOAD } from './usage-workload.ts'

const BATCH_EVENTS = 1_000
const SPREAD_DAYS = 30
const DAY_MS = 86_400_000
/** Slower than any machine that this is worth running on. */
const EVENTS_PER_SECOND_MIN = 2_000

/** Sends this many events over HTTP, with times that run evenly over the last 30 days, and waits until all are queryable. */
export async function storeEvents(
  server: TollgateProcess,
  events: number,
  context: BenchContext,
): Promise<{ sinceMs: number; stored: number }> {
  context.progress(`${events.toLocaleString('en')} events of ${SPREAD_DAYS} days`)
  const sinceMs = Date.now() - (SPREAD_DAYS + 1) * DAY_MS
  const withinMs = (events / EVENTS_PER_SECOND_MIN) * 1_000
  const load = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 8,
    requests: { kind: 'events', batchEvents: BATCH_EVENTS, workload: DEFAULT_WORKLOAD, idPrefix: 'stored', spreadMs: SPREAD_DAYS * DAY_MS },
    durationMs: withinMs,
    requestsMax: Math.ceil(events / BATCH_EVENTS),
    requestsPerSecond: null,
  })
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  await whenQueryable(server, sinceMs, load.newEvents, withinMs)
  return { sinceMs, stored: load.newEvents }
}
