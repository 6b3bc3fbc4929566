import type { TollgateProcess } from '../../test/support/tollgate-process.ts'
import { removeDirectory, startTollgate } from '../../test/support/tollgate-process.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, metricOf, portOf, serverEnvironment, whenQueryable } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage } from '../process-usage.ts'
import { type StoredEvents, sizeLabel, storedSizes, storeEvents } from '../stored-events.ts'
import { DEFAULT_WORKLOAD, EVENT_TYPE } from '../usage-workload.ts'

export const recoveryPart: BenchPart = {
  name: 'recovery',
  about: 'from kill -9 to ready with stored events behind, at rest and in the middle of a load',
  run: measureRecovery,
}

const CAUGHT_UP_WITHIN_MS = 240_000
const LOADED_FOR_MS = 3_000

async function measureRecovery(context: BenchContext): Promise<readonly Figure[]> {
  const env = serverEnvironment(context)
  let server = await startTollgate({ env })
  const { dataDir } = server
  try {
    await createBenchCatalog(server)
    const figures: Figure[] = []
    let before: StoredEvents | undefined
    for (const size of storedSizes(context)) {
      before = await storeEvents(server, size, context, before)
      await server.kill()
      context.progress('restart at rest')
      const restarted = await restart(dataDir, env)
      server = restarted.server
      const queryableMs = await whenOneMoreCounts(restarted, before)
      before = { ...before, stored: before.stored + 1 }
      figures.push(...(await restartFigures(`${sizeLabel(size)}killed at rest`, restarted, queryableMs)))
    }
    context.progress('kill in the middle of a load')
    await killUnderLoad(server)
    const restarted = await restart(dataDir, env)
    server = restarted.server
    figures.push(readyFigure('killed under load, all of it behind', restarted))
    return figures
  } finally {
    await server.kill()
    await removeDirectory(dataDir)
  }
}

type Restarted = { readonly server: TollgateProcess; readonly startedMs: number; readonly readyMs: number; readonly cpuMs: number }

/** Ready as /readyz says it. A process that starts from its files and compiles its code from nothing. */
async function restart(dataDir: string, env: Record<string, string>): Promise<Restarted> {
  const startedMs = performance.now()
  const server = await startTollgate({ dataDir, env })
  return { server, startedMs, readyMs: performance.now() - startedMs, cpuMs: readProcessUsage(server.pid).cpuMs }
}

/** A new event is counted only when everything is back that is needed to know that it is no repeat. */
async function whenOneMoreCounts({ server, startedMs }: Restarted, { sinceMs, stored }: StoredEvents): Promise<number> {
  const data = { model: 'probe', input_tokens: 1, output_tokens: 0 }
  await server.ok('POST', '/v1/events', { id: `after_${stored}`, type: EVENT_TYPE, customer: 'probe', data })
  await whenQueryable(server, sinceMs, stored + 1, CAUGHT_UP_WITHIN_MS)
  return performance.now() - startedMs
}

async function killUnderLoad(server: TollgateProcess): Promise<void> {
  const load = runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 8,
    requests: { kind: 'events', batchEvents: 1_000, workload: DEFAULT_WORKLOAD, idPrefix: 'killed', spreadMs: 0 },
    durationMs: 60_000,
    requestsPerSecond: null,
    // It ends with the server.
  }).catch(() => null)
  await new Promise((resolve) => setTimeout(resolve, LOADED_FOR_MS))
  await server.kill()
  await load
}

async function restartFigures(label: string, restarted: Restarted, queryableMs: number): Promise<Figure[]> {
  const { residentBytes } = readProcessUsage(restarted.server.pid)
  const filterBytes = await metricOf(restarted.server, 'tollgate_aggregator_dedupe_filter_bytes')
  return [
    readyFigure(label, restarted),
    {
      what: `${label}: to a new event counted`,
      value: queryableMs / 1_000,
      unit: 's',
      note: `the dedupe filter is back; ${(filterBytes / 2 ** 20).toFixed(0)} MiB of ${(residentBytes / 2 ** 20).toFixed(0)} MiB resident`,
    },
  ]
}

function readyFigure(label: string, { readyMs, cpuMs }: Restarted): Figure {
  return { what: `${label}: to ready`, value: readyMs / 1_000, unit: 's', note: `CPU ${(cpuMs / 1_000).toFixed(1)} s` }
}
