import { removeDirectory, startTollgate } from '../../test/support/servers/tollgate-process.ts'
import { legFigures, measureLeg, QUERYABLE_WITHIN_MS, sendEvents } from '../ingest-leg.ts'
import { createBenchCatalog, serverEnvironment, subscribeCustomers, whenQueryable } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { watchResidentMemory } from '../process-usage.ts'
import { serverSettings, serversBeside, withDevServers } from '../with-dev-servers.ts'

export const distributedPart: BenchPart = {
  name: 'distributed',
  about: 'HTTP to queryable on Kafka, PostgreSQL and Redis, the servers on the same machine',
  run: measureDistributed,
}

const BATCHES = [1_000, 100, 10, 1] as const
const SUBSCRIBED = 1_000
/** CPU has no budget here: the servers' CPU is stated beside it. */
const BUDGET = { eventsPerSecondMin: 50_000, cpuMicrosMax: null }

function measureDistributed(context: BenchContext): Promise<readonly Figure[]> {
  context.progress('Kafka, PostgreSQL, Redis')
  return withDevServers(['kafka', 'postgres', 'redis'], async (servers) => {
    const server = await startTollgate({ env: { ...serverEnvironment(context), ...serverSettings(servers) } })
    const beside = serversBeside(Object.values(servers))
    try {
      context.progress('catalog and subscriptions')
      await createBenchCatalog(server)
      await subscribeCustomers(server, context.isQuick ? SUBSCRIBED / 10 : SUBSCRIBED)
      const sinceMs = Date.now() - 60_000
      const memory = watchResidentMemory(server.pid, 500)
      context.progress('warm-up')
      let { newEvents } = await sendEvents(server, { batchEvents: 1_000, idPrefix: 'warm', durationMs: 3_000 })
      await whenQueryable(server, sinceMs, newEvents, QUERYABLE_WITHIN_MS)
      const figures: Figure[] = []
      for (const batchEvents of BATCHES) {
        context.progress(`batches of ${batchEvents}`)
        const durationMs = context.isQuick ? 2_000 : batchEvents === 1_000 ? 30_000 : 10_000
        const leg = await measureLeg(server, { batchEvents, idPrefix: `b${batchEvents}`, durationMs }, beside)
        newEvents += leg.load.newEvents
        figures.push(...legFigures(batchEvents, leg, batchEvents === 1_000 ? BUDGET : null))
      }
      const peakBytes = memory.stop().reduce((most, { residentBytes }) => Math.max(most, residentBytes), 0)
      figures.push({
        what: 'memory, peak of the run',
        value: peakBytes / 2 ** 20,
        unit: 'MiB resident',
        note: 'one process with every role, the usage store within it',
      })
      return figures
    } finally {
      await server.stop()
      await removeDirectory(server.dataDir)
    }
  })
}
