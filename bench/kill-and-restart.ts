import { startTollgate, type TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { runLoad } from './load.ts'
import { metricOf, portOf, whenQueryable } from './measured-server.ts'
import type { Figure } from './part.ts'
import { readProcessUsage } from './process-usage.ts'
import type { StoredEvents } from './stored-events.ts'
import { DEFAULT_WORKLOAD, EVENT_TYPE } from './usage-workload.ts'

const CAUGHT_UP_WITHIN_MS = 600_000
const LOADED_FOR_MS = 3_000

/** A server started again in the directory of the one before, and what that took. */
export type Restarted = { readonly server: TollgateProcess; readonly stored: StoredEvents; readonly figures: readonly Figure[] }

/**
 * A start after a `kill -9` at rest: until it is ready; until one more event is counted, which waits until its repeats can be
 * told; until the dedupe filter is back.
 */
export async function restartAtRest(dataDir: string, env: Record<string, string>, label: string, stored: StoredEvents): Promise<Restarted> {
  const restart = await start(dataDir, env)
  const id = `after_${stored.stored}`
  const customer = `probe_${stored.stored}`
  const data = { model: 'probe', input_tokens: 1, output_tokens: 0 }
  await restart.server.ok('POST', '/v1/events', { id, type: EVENT_TYPE, customer, data })
  const withProbe = { ...stored, stored: stored.stored + 1 }
  await until(() => isCounted(restart.server, customer))
  const countedMs = performance.now() - restart.startedMs
  await until(async () => (await metricOf(restart.server, 'tollgate_aggregator_dedupe_filters_incomplete')) === 0)
  const filterMs = performance.now() - restart.startedMs
  const { residentBytes } = readProcessUsage(restart.server.pid)
  const filterBytes = await metricOf(restart.server, 'tollgate_aggregator_dedupe_filter_bytes')
  const counted: Figure = {
    what: `${label}killed at rest: to a new event counted`,
    value: countedMs / 1_000,
    unit: 's',
  }
  const filter: Figure = {
    what: `${label}killed at rest: to the dedupe filter`,
    value: filterMs / 1_000,
    unit: 's',
    note: `${(filterBytes / 2 ** 20).toFixed(0)} MiB of ${(residentBytes / 2 ** 20).toFixed(0)} MiB resident`,
  }
  await whenQueryable(restart.server, stored.sinceMs, withProbe.stored, CAUGHT_UP_WITHIN_MS)
  return { server: restart.server, stored: withProbe, figures: [readyFigure(`${label}killed at rest`, restart), counted, filter] }
}

/** `kill -9` in the middle of a load, then a start. */
export async function killUnderLoad(
  server: TollgateProcess,
  env: Record<string, string>,
  label: string,
): Promise<Omit<Restarted, 'stored'>> {
  const load = runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 8,
    requests: { kind: 'events', batchEvents: 1_000, workload: DEFAULT_WORKLOAD, idPrefix: 'killed', spreadMs: 0 },
    durationMs: 60_000,
    requestsPerSecond: null,
    // The connection ends with the server.
  }).catch(() => null)
  await new Promise((resolve) => setTimeout(resolve, LOADED_FOR_MS))
  await server.kill()
  await load
  const restart = await start(server.dataDir, env)
  return { server: restart.server, figures: [readyFigure(`${label}killed under load`, restart)] }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + CAUGHT_UP_WITHIN_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${CAUGHT_UP_WITHIN_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function isCounted(server: TollgateProcess, customer: string): Promise<boolean> {
  const { data } = await server.ok<{ data: { events: number }[] }>('GET', `/v1/meters/requests/usage?customer=${customer}`)
  return (data[0]?.events ?? 0) > 0
}

type Start = { readonly server: TollgateProcess; readonly startedMs: number; readonly readyMs: number; readonly cpuMs: number }

/** Ready as /readyz says. The process starts from its files and compiles its code from scratch. */
async function start(dataDir: string, env: Record<string, string>): Promise<Start> {
  const startedMs = performance.now()
  const server = await startTollgate({ dataDir, env })
  return { server, startedMs, readyMs: performance.now() - startedMs, cpuMs: readProcessUsage(server.pid).cpuMs }
}

function readyFigure(label: string, { readyMs, cpuMs }: Start): Figure {
  return { what: `${label}: to ready`, value: readyMs / 1_000, unit: 's', note: `CPU ${(cpuMs / 1_000).toFixed(1)} s` }
}
