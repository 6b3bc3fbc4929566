import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TollgateProcess } from '../../test/support/tollgate-process.ts'
import { removeDirectory, startTollgate } from '../../test/support/tollgate-process.ts'
import type { FloorRequest, FloorResult } from '../engine-floor.ts'
import { type LoadResult, runLoad } from '../load.ts'
import {
  createBenchCatalog,
  metricOf,
  portOf,
  serverEnvironment,
  storedBytes,
  subscribeCustomers,
  whenQueryable,
} from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, readThreadCpuMs, usageBetween, watchResidentMemory, whenSettled } from '../process-usage.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const ingestPart: BenchPart = {
  name: 'ingest',
  about: 'HTTP to queryable in batches of 1, 10, 100 and 1,000, beside the engine alone and an empty route',
  run: measureIngest,
}

const BATCHES = [1_000, 100, 10, 1] as const
const CONNECTIONS = 16
/** Of the 5,000 customers those whose usage feeds a balance too: the first ones, who send nearly half of the events. */
const SUBSCRIBED = 1_000
const QUERYABLE_WITHIN_MS = 120_000
const SETTLED_WITHIN_MS = 60_000

async function measureIngest(context: BenchContext): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  const server = await startTollgate({ env: serverEnvironment(context) })
  let newEvents = 0
  try {
    context.progress('catalog and subscriptions')
    await createBenchCatalog(server)
    await subscribeCustomers(server, context.isQuick ? SUBSCRIBED / 5 : SUBSCRIBED)
    const sinceMs = Date.now() - 60_000
    const memory = watchResidentMemory(server.pid, 500)
    // The first seconds of a process are spent on compiling.
    context.progress('warm-up')
    newEvents += (await send(server, context, 1_000, 'warm', 3_000)).newEvents
    await whenQueryable(server, sinceMs, newEvents, QUERYABLE_WITHIN_MS)

    let large: Leg | null = null
    for (const batchEvents of BATCHES) {
      context.progress(`batches of ${batchEvents}`)
      const durationMs = context.isQuick ? 3_000 : batchEvents === 1_000 ? 30_000 : 10_000
      const leg = await measureLeg(server, context, batchEvents, durationMs, sinceMs, newEvents)
      newEvents += leg.load.newEvents
      if (batchEvents === 1_000) large = leg
      figures.push(...figuresOf(batchEvents, leg))
    }
    context.progress('empty route')
    figures.push(await measureEmptyRoute(server, context))
    figures.push(...memoryFigures(memory.stop()))
    await server.stop()
    figures.push({
      what: 'stored, usage store',
      value: storedBytes(server, 'usage-store') / newEvents,
      unit: 'bytes/event',
      note: `${newEvents.toLocaleString('en')} events with random ids, merged as far as the engine did by itself`,
    })
    figures.push({ what: 'stored, event log', value: storedBytes(server, 'event-log') / newEvents, unit: 'bytes/event' })
    if (large !== null) figures.push(...(await measureFloor(server, context, large)))
    return figures
  } finally {
    await server.stop()
    await removeDirectory(server.dataDir)
  }
}

/** The peak, and how it went: a figure for each tenth of the run. */
function memoryFigures(samples: ReturnType<ReturnType<typeof watchResidentMemory>['stop']>): Figure[] {
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  const peak = samples.reduce((most, sample) => (sample.residentBytes > most.residentBytes ? sample : most))
  const tenths = Array.from({ length: 10 }, (_, tenth) => samples[Math.floor((samples.length * (tenth + 0.5)) / 10)]?.residentBytes ?? 0)
  const note = `of it ${mebibytes(peak.privateBytes)} no mapped file; over time ${tenths.map(mebibytes).join(' ')}`
  return [{ what: 'memory, peak of the run', value: peak.residentBytes / 2 ** 20, unit: 'MiB resident', budget: { max: 1_024 }, note }]
}

type Leg = {
  readonly load: LoadResult
  readonly queryableMs: number
  readonly cpuMicros: number
  readonly mainThreadCpuMicros: number
  readonly settledCpuMicros: number
  readonly threads: ReadonlyMap<string, number>
  readonly flushes: number
}

async function measureLeg(
  server: TollgateProcess,
  context: BenchContext,
  batchEvents: number,
  durationMs: number,
  sinceMs: number,
  eventsBefore: number,
): Promise<Leg> {
  await whenSettled(server.pid, SETTLED_WITHIN_MS)
  let before = readProcessUsage(server.pid)
  let threadsBefore = readThreadCpuMs(server.pid)
  let startedMs = performance.now()
  const flushesBefore = await metricOf(server, 'tollgate_aggregator_flush_seconds_count')
  const load = await send(server, context, batchEvents, `b${batchEvents}`, durationMs, () => {
    before = readProcessUsage(server.pid)
    threadsBefore = readThreadCpuMs(server.pid)
    startedMs = performance.now()
  })
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  await whenQueryable(server, sinceMs, eventsBefore + load.newEvents, QUERYABLE_WITHIN_MS)
  const queryableMs = performance.now() - startedMs
  const { cpuMs, mainThreadCpuMs } = usageBetween(before, readProcessUsage(server.pid))
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
  }
}

function send(
  server: TollgateProcess,
  context: BenchContext,
  batchEvents: number,
  idPrefix: string,
  durationMs: number,
  started?: () => void,
): Promise<LoadResult> {
  const workload = { ...DEFAULT_WORKLOAD, poolEvents: batchEvents === 1 ? 50_000 : DEFAULT_WORKLOAD.poolEvents }
  const spec = {
    port: portOf(server),
    key: server.adminKey,
    connections: context.isQuick ? 8 : CONNECTIONS,
    requests: { kind: 'events' as const, batchEvents, workload, idPrefix, spreadMs: 0 },
    durationMs,
    requestsPerSecond: null,
  }
  return runLoad(spec, started)
}

function figuresOf(batchEvents: number, leg: Leg): Figure[] {
  const { load } = leg
  const label = `batches of ${batchEvents}: `
  const isBudget = batchEvents === 1_000
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
      ...(isBudget ? { budget: { min: 100_000 } } : {}),
      note: `answered at ${Math.round(load.events / (load.elapsedMs / 1_000)).toLocaleString('en')}/s, p50 ${load.latencyMs.p50.toFixed(1)} ms, p99 ${load.latencyMs.p99.toFixed(1)} ms; generator ${((load.cpuMs * 1_000) / load.events).toFixed(2)} µs/event of its own`,
    },
    {
      what: `${label}server CPU`,
      value: leg.cpuMicros,
      unit: 'µs/event',
      ...(isBudget ? { budget: { max: 8 } } : {}),
      note: `main thread ${leg.mainThreadCpuMicros.toFixed(2)}; ${leg.flushes} flushes; settled with merges ${leg.settledCpuMicros.toFixed(2)}`,
    },
    {
      what: `${label}by thread`,
      value: leg.cpuMicros - leg.mainThreadCpuMicros,
      unit: 'µs/event beside main',
      note: topThreads.join(', '),
    },
  ]
}

async function measureEmptyRoute(server: TollgateProcess, context: BenchContext): Promise<Figure> {
  const before = readProcessUsage(server.pid)
  const load = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: CONNECTIONS,
    requests: { kind: 'get', paths: ['/healthz'] },
    durationMs: context.isQuick ? 2_000 : 5_000,
    requestsPerSecond: null,
  })
  const { cpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return {
    what: 'floor: empty route',
    value: (cpuMs * 1_000) / load.requests,
    unit: 'µs/request',
    note: `${Math.round(load.requests / (load.elapsedMs / 1_000)).toLocaleString('en')} requests/s`,
  }
}

/** The rows that the server stored, given to the same engine alone: as large as its flushes were, nothing else running. */
async function measureFloor(
  server: TollgateProcess,
  context: BenchContext,
  { cpuMicros, settledCpuMicros, flushes, load }: Leg,
): Promise<Figure[]> {
  context.progress('floor: the engine alone')
  const directory = await mkdtemp(join(tmpdir(), 'tollgate-bench-'))
  try {
    const rowsDir = join(directory, 'rows')
    await runFloor({
      step: 'take',
      storePath: join(server.dataDir, 'usage-store'),
      rowsDir,
      idPrefix: 'b1000',
      eventsPerFlush: load.newEvents / flushes,
    })
    const floor = await runFloor({ step: 'insert', storePath: join(directory, 'store'), rowsDir })
    const perEvent = (cpuMs: number) => (cpuMs * 1_000) / floor.events
    return [
      {
        what: 'floor: engine alone, same rows',
        value: perEvent(floor.insertCpuMs),
        unit: 'µs/event',
        note: `${floor.inserts} inserts; ${(floor.windowRows / floor.events).toFixed(2)} window rows an event; settled with merges ${perEvent(floor.settledCpuMs).toFixed(2)}`,
      },
      { what: 'server CPU over the engine alone', value: cpuMicros / perEvent(floor.insertCpuMs), unit: 'x', budget: { max: 3.5 } },
      { what: 'the same, settled with merges', value: settledCpuMicros / perEvent(floor.settledCpuMs), unit: 'x' },
    ]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** In a process of its own: the engine opens one directory per process. */
function runFloor(request: FloorRequest): Promise<FloorResult> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, '../engine-floor.ts'), [JSON.stringify(request)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child.on('message', resolve)
    child.once('exit', (code) => reject(new Error(`the engine ended with code ${code}`)))
  })
}
