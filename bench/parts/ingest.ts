import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { removeDirectory, startTollgate } from '../../test/support/servers/tollgate-process.ts'
import type { FloorRequest, FloorResult } from '../engine-floor.ts'
import { type Leg, legFigures, measureLeg, QUERYABLE_WITHIN_MS, sendEvents } from '../ingest-leg.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, serverEnvironment, storedBytes, subscribeCustomers, whenQueryable } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, usageBetween, watchResidentMemory } from '../process-usage.ts'

export const ingestPart: BenchPart = {
  name: 'ingest',
  about: 'HTTP to queryable in batches of 1, 10, 100 and 1,000, beside the engine alone and an empty route',
  run: measureIngest,
}

const BATCHES = [1_000, 100, 10, 1] as const
const CONNECTIONS = 16
/** The first 1,000 of the 5,000 customers, who send nearly half of the events: their usage feeds a balance too. */
const SUBSCRIBED = 1_000
const BUDGET = { eventsPerSecondMin: 100_000, cpuMicrosMax: 8 }

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
    newEvents += (await sendEvents(server, { batchEvents: 1_000, idPrefix: 'warm', durationMs: 3_000 })).newEvents
    await whenQueryable(server, sinceMs, newEvents, QUERYABLE_WITHIN_MS)

    let large: Leg | null = null
    for (const batchEvents of BATCHES) {
      context.progress(`batches of ${batchEvents}`)
      const durationMs = context.isQuick ? 3_000 : batchEvents === 1_000 ? 30_000 : 10_000
      const leg = await measureLeg(server, { batchEvents, idPrefix: `b${batchEvents}`, durationMs })
      newEvents += leg.load.newEvents
      if (batchEvents === 1_000) large = leg
      figures.push(...legFigures(batchEvents, leg, batchEvents === 1_000 ? BUDGET : null))
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

/** The peak of memory, and its course: a figure for each tenth of the run. */
function memoryFigures(samples: ReturnType<ReturnType<typeof watchResidentMemory>['stop']>): Figure[] {
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
  const peak = samples.reduce((most, sample) => (sample.residentBytes > most.residentBytes ? sample : most))
  const tenths = Array.from({ length: 10 }, (_, tenth) => samples[Math.floor((samples.length * (tenth + 0.5)) / 10)]?.residentBytes ?? 0)
  const note = `of it ${mebibytes(peak.privateBytes)} no mapped file; over time ${tenths.map(mebibytes).join(' ')}`
  return [{ what: 'memory, peak of the run', value: peak.residentBytes / 2 ** 20, unit: 'MiB resident', budget: { max: 1_024 }, note }]
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

/** Inserts the rows that the server stored into the same engine, in batches as large as its flushes, with nothing else running. */
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

/** In its own process, as the engine opens one directory per process. */
function runFloor(request: FloorRequest): Promise<FloorResult> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, '../engine-floor.ts'), [JSON.stringify(request)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child.on('message', resolve)
    child.once('exit', (code) => reject(new Error(`the engine ended with code ${code}`)))
  })
}
