import type { TollgateProcess } from '../../test/support/tollgate-process.ts'
import { removeDirectory, startTollgate } from '../../test/support/tollgate-process.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, serverEnvironment, whenQueryable } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage } from '../process-usage.ts'
import { storeEvents } from '../stored-events.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const recoveryPart: BenchPart = {
  name: 'recovery',
  about: 'from kill -9 to ready with stored events behind, at rest and in the middle of a load',
  run: measureRecovery,
}

const CAUGHT_UP_WITHIN_MS = 120_000

async function measureRecovery(context: BenchContext): Promise<readonly Figure[]> {
  const env = serverEnvironment(context)
  const first = await startTollgate({ env })
  const { dataDir } = first
  let server: TollgateProcess = first
  try {
    await createBenchCatalog(server)
    const { sinceMs, stored } = await storeEvents(server, context.events ?? (context.isQuick ? 100_000 : 1_000_000), context)
    await server.kill()
    context.progress('restart at rest')
    const atRest = await restart(dataDir, env, stored, sinceMs)
    server = atRest.server

    context.progress('kill in the middle of a load')
    const killed = server
    const load = runLoad({
      port: portOf(server),
      key: server.adminKey,
      connections: 8,
      requests: { kind: 'events', batchEvents: 1_000, workload: DEFAULT_WORKLOAD, idPrefix: 'killed', spreadMs: 0 },
      durationMs: 60_000,
      requestsPerSecond: null,
    }).catch(() => null)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    await killed.kill()
    await load
    const inLoad = await restart(dataDir, env, null, sinceMs)
    server = inLoad.server
    const among = `${stored.toLocaleString('en')} events behind`
    return [
      {
        what: 'killed at rest: to ready',
        value: atRest.readyMs / 1_000,
        unit: 's',
        note: `${among}; CPU ${(atRest.cpuMs / 1_000).toFixed(1)} s`,
      },
      { what: 'killed at rest: to queryable', value: atRest.queryableMs / 1_000, unit: 's' },
      {
        what: 'killed under load: to ready',
        value: inLoad.readyMs / 1_000,
        unit: 's',
        note: `${among}; CPU ${(inLoad.cpuMs / 1_000).toFixed(1)} s`,
      },
      { what: 'memory after the restart', value: readProcessUsage(server.pid).residentBytes / 2 ** 20, unit: 'MiB resident' },
    ]
  } finally {
    await server.kill()
    await removeDirectory(dataDir)
  }
}

/** Ready as /readyz says it. A process that starts from its files and compiles its code from nothing. */
async function restart(dataDir: string, env: Record<string, string>, events: number | null, sinceMs: number) {
  const startedMs = performance.now()
  const server = await startTollgate({ dataDir, env })
  const readyMs = performance.now() - startedMs
  const { cpuMs } = readProcessUsage(server.pid)
  if (events !== null) await whenQueryable(server, sinceMs, events, CAUGHT_UP_WITHIN_MS)
  return { server, readyMs, cpuMs, queryableMs: performance.now() - startedMs }
}
