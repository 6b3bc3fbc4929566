import { execFileSync } from 'node:child_process'
import { startClickHouseFront } from '../../test/support/servers/clickhouse-front.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { measureDecisions } from '../decision-load.ts'
import { serverEnvironment } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { watchResidentMemory } from '../process-usage.ts'
import { serverSettings, withDevServers } from '../with-dev-servers.ts'

export const decisionsRedisPart: BenchPart = {
  name: 'decisions-redis',
  about: 'the same on Redis, the api role a process of its own on one core with 512 MB',
  run: measureOnRedis,
}

/** The api has this core for itself; the load generator, Redis and the rest share the other cores. */
const API_CORE = 0
const API_MEMORY_MIB = 512
/** V8's bound on live memory; the rest of the 512 MB is code, buffers and memory not yet returned by the collector. */
const API_HEAP_MIB = 256

function measureOnRedis(context: BenchContext): Promise<readonly Figure[]> {
  context.progress('Kafka, PostgreSQL, Redis and a ClickHouse')
  return withDevServers(['kafka', 'postgres', 'redis'], async (servers) => {
    const clickhouse = await startClickHouseFront()
    const env: Record<string, string> = {
      ...serverEnvironment(context),
      ...serverSettings(servers),
      CLICKHOUSE_URL: clickhouse.url('bench'),
    }
    const started: TollgateProcess[] = []
    const start = async (role: string, more: Record<string, string> = {}) => {
      const process = await startTollgate({ env: { ...env, ...more }, args: ['--roles', role] })
      started.push(process)
      return process
    }
    try {
      await start('aggregator')
      const nodeOptions = [env.NODE_OPTIONS, `--max-old-space-size=${API_HEAP_MIB}`].filter((option) => option !== undefined)
      const api = await start('api', { NODE_OPTIONS: nodeOptions.join(' ') })
      // Pins all threads, and those that they start.
      execFileSync('taskset', ['-a', '-c', '-p', String(API_CORE), String(api.pid)], { stdio: 'ignore' })
      const memory = watchResidentMemory(api.pid, 250)
      const figures = await measureDecisions(api, context)
      const peakBytes = memory.stop().reduce((most, { residentBytes }) => Math.max(most, residentBytes), 0)
      return [
        ...figures,
        {
          what: 'memory of the api, peak',
          value: peakBytes / 2 ** 20,
          unit: 'MiB resident',
          budget: { max: API_MEMORY_MIB },
          note: `heap limited to ${API_HEAP_MIB} MiB; one core, by taskset`,
        },
      ]
    } finally {
      for (const process of started) {
        await process.stop()
        await removeDirectory(process.dataDir)
      }
      await clickhouse.discard()
    }
  })
}
