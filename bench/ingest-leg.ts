import type { TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { type LoadResult, runLoad } from './load.ts'
import { countQueryable, metricOf, portOf, whenQueryable } from './measured-server.ts'
import type { Figure } from './part.ts'
import { readProcessUsage, readThreadCpuMs, readTreeCpuMs, usageBetween, whenSettled } from './process-usage.ts'
import { DEFAULT_WORKLOAD, type UsageWorkload } from './usage-workload.ts'

/** One load of events with one batch size, from its first request until all events are queryable. */
export type Leg = {
  readonly load: LoadResult
  readonly queryableMs: number
  readonly cpuMicros: number
  readonly mainThreadCpuMicros: number
  readonly settledCpuMicros: number
  readonly threads: ReadonlyMap<string, number>
  readonly flushes: number
  /** µs per event of the processes other than the server, by name. */
  readonly besideCpuMicros: ReadonlyMap<string, number>
}

/** Processes whose CPU is stated separately: brokers and databases on the same machine. */
export type ProcessesBeside = Readonly<Record<string, readonly number[]>>

/** Small requests come from many callers: only requests under way together can share a record and a sync. */
const CONNECTIONS: Readonly<Record<number, number>> = { 1: 128, 10: 64 }
const CONNECTIONS_OF_LARGE = 16
const SETTLED_WITHIN_MS = 60_000
export const QUERYABLE_WITHIN_MS = 120_000

export type LegSpec = {
  readonly batchEvents: number
  readonly durationMs: number
  /** Different for every load on one server. */
  readonly idPrefix: string
  /** Ends the load after this many events, if that is before its time. */
  readonly eventsMax?: number
  readonly workload?: UsageWorkload
}

export async function measureLeg(server: TollgateProcess, spec: LegSpec, beside: ProcessesBeside = {}): Promise<Leg> {
  await whenSettled(server.pid, SETTLED_WITHIN_MS)
  // Asks for the last minutes only, as the cost of the question must not grow with the stored events.
  const sinceMs = Date.now() - 60_000
  const countedBefore = await countQueryable(server, sinceMs)
  let before = readProcessUsage(server.pid)
  let threadsBefore = readThreadCpuMs(server.pid)
  let startedMs = performance.now()
  let besideBefore = besideCpuMs(beside)
  const flushesBefore = await metricOf(server, 'tollgate_aggregator_flush_seconds_count')
  const load = await sendEvents(server, spec, () => {
    before = readProcessUsage(server.pid)
    threadsBefore = readThreadCpuMs(server.pid)
    startedMs = performance.now()
    besideBefore = besideCpuMs(beside)
  })
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  await whenQueryable(server, sinceMs, countedBefore + load.newEvents, QUERYABLE_WITHIN_MS)
  const queryableMs = performance.now() - startedMs
  const { cpuMs, mainThreadCpuMs } = usageBetween(before, readProcessUsage(server.pid))
  const besideNow = besideCpuMs(beside)
  const threadsNow = readThreadCpuMs(server.pid)
  const threads = new Map([...threadsNow].map(([name, ms]) => [name, ((ms - (threadsBefore.get(name) ?? 0)) * 1_000) / load.events]))
  const flushes = (await metricOf(server, 'tollgate_aggregator_flush_seconds_count')) - flushesBefore
  await whenSettled(server.pid, SETTLED_WITHIN_MS)
  const settled = usageBetween(before, readProcessUsage(server.pid))
  const perEvent = 1_000 / load.events
  return {
    load,
    queryableMs,
    cpuMicros: cpuMs * perEvent,
    mainThreadCpuMicros: mainThreadCpuMs * perEvent,
    settledCpuMicros: settled.cpuMs * perEvent,
    threads,
    flushes,
    besideCpuMicros: new Map([...besideNow].map(([name, ms]) => [name, (ms - (besideBefore.get(name) ?? 0)) * perEvent])),
  }
}

function besideCpuMs(beside: ProcessesBeside): ReadonlyMap<string, number> {
  return new Map(Object.entries(beside).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + readTreeCpuMs(pid), 0)]))
}

export function sendEvents(
  server: TollgateProcess,
  { batchEvents, durationMs, idPrefix, eventsMax, workload = DEFAULT_WORKLOAD }: LegSpec,
  started?: () => void,
): Promise<LoadResult> {
  const poolEvents = batchEvents === 1 ? 50_000 : workload.poolEvents
  const spec = {
    port: portOf(server),
    key: server.adminKey,
    connections: CONNECTIONS[batchEvents] ?? CONNECTIONS_OF_LARGE,
    requests: { kind: 'events' as const, batchEvents, workload: { ...workload, poolEvents }, idPrefix, spreadMs: 0 },
    durationMs,
    ...(eventsMax === undefined ? {} : { requestsMax: Math.ceil(eventsMax / batchEvents) }),
    requestsPerSecond: null,
  }
  return runLoad(spec, started)
}

export type LegBudget = { readonly eventsPerSecondMin: number; readonly cpuMicrosMax: number | null }

/** The figures of a leg, with the budget on the leg that has one. */
export function legFigures(batchEvents: number, leg: Leg, budget: LegBudget | null): Figure[] {
  const { load } = leg
  const label = `batches of ${batchEvents}: `
  const topThreads = [...leg.threads]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 6)
    .map(([name, micros]) => `${name} ${micros.toFixed(2)}`)
  const eventsPerSecond = load.events / (leg.queryableMs / 1_000)
  return [
    {
      what: `${label}HTTP to queryable`,
      value: eventsPerSecond,
      unit: 'events/s',
      ...(budget === null ? {} : { budget: { min: budget.eventsPerSecondMin } }),
      note: `answered at ${Math.round(load.events / (load.elapsedMs / 1_000)).toLocaleString('en')}/s, p50 ${load.latencyMs.p50.toFixed(1)} ms, p99 ${load.latencyMs.p99.toFixed(1)} ms; generator ${((load.cpuMs * 1_000) / load.events).toFixed(2)} µs/event of its own`,
    },
    {
      what: `${label}server CPU`,
      value: leg.cpuMicros,
      unit: 'µs/event',
      ...(budget?.cpuMicrosMax == null ? {} : { budget: { max: budget.cpuMicrosMax } }),
      note: `main thread ${leg.mainThreadCpuMicros.toFixed(2)}; ${leg.flushes} flushes; settled with merges ${leg.settledCpuMicros.toFixed(2)}`,
    },
    {
      what: `${label}by thread`,
      value: leg.cpuMicros - leg.mainThreadCpuMicros,
      unit: 'µs/event beside main',
      note: topThreads.join(', '),
    },
    ...[...leg.besideCpuMicros].map(([name, micros]) => ({
      what: `${label}CPU of ${name}`,
      value: micros,
      unit: 'µs/event',
      note: 'not in the server CPU',
    })),
  ]
}
