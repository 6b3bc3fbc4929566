import { NANO } from '../../domain/decimal.ts'
import type { Price } from '../../domain/price.ts'
import { rate } from '../../rating/rate.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../../test/support/tollgate-process.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, serverEnvironment } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, usageBetween } from '../process-usage.ts'
import { storeEvents } from '../stored-events.ts'
import { subscribeInBulk } from '../subscribe-in-bulk.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const ratingPart: BenchPart = {
  name: 'rating',
  about: 'upcoming invoices per second over HTTP for 100,000 subscriptions, and the pure rating alone',
  run: measureRating,
}

const RATED = 100_000

async function measureRating(context: BenchContext): Promise<readonly Figure[]> {
  const env = serverEnvironment(context)
  const first = await startTollgate({ env })
  const { dataDir } = first
  try {
    await createBenchCatalog(first)
    await first.stop()
    const count = context.isQuick ? 1_000 : 100_000
    context.progress(`${count.toLocaleString('en')} subscriptions`)
    const subscriptions = await subscribeInBulk(dataDir, count)
    const server = await startTollgate({ dataDir, env })
    try {
      return [...(await measureUpcoming(server, subscriptions, context)), measurePureRating()]
    } finally {
      await server.stop()
    }
  } finally {
    await first.stop()
    await removeDirectory(dataDir)
  }
}

async function measureUpcoming(
  server: TollgateProcess,
  subscriptions: readonly string[],
  context: BenchContext,
): Promise<readonly Figure[]> {
  const workload = { ...DEFAULT_WORKLOAD, customers: subscriptions.length }
  const { stored } = await storeEvents(server, context.events ?? (context.isQuick ? 50_000 : 1_000_000), context, undefined, workload)
  context.progress('upcoming invoices')
  // Not twice the same one within a run: as one pass over all of them does.
  const paths = subscriptions.map((id) => `/v1/subscriptions/${id}/upcoming-invoice`)
  const before = readProcessUsage(server.pid)
  const load = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 4,
    requests: { kind: 'get', paths },
    durationMs: context.isQuick ? 3_000 : 15_000,
    requestsPerSecond: null,
  })
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  const { cpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return [
    {
      what: 'upcoming invoices',
      value: load.requests / (load.elapsedMs / 1_000),
      unit: 'invoices/s',
      note: `${subscriptions.length.toLocaleString('en')} subscriptions, ${stored.toLocaleString('en')} events; CPU ${(cpuMs / load.requests).toFixed(1)} ms an invoice`,
    },
    { what: 'upcoming invoice, p99', value: load.latencyMs.p99, unit: 'ms', note: `p50 ${load.latencyMs.p50.toFixed(1)}` },
    {
      what: `all ${subscriptions.length.toLocaleString('en')} at that rate`,
      value: (subscriptions.length * load.elapsedMs) / load.requests / 60_000,
      unit: 'minutes',
    },
  ]
}

/** One charge of five tiers, as a graduated plan has them. */
function measurePureRating(): Figure {
  let digits = 0
  const before = process.cpuUsage()
  for (let index = 0; index < RATED; index++) digits += rate(GRADUATED, BigInt(index) * 20_000n * NANO).lines.length
  const { user, system } = process.cpuUsage(before)
  if (digits === 0) throw new Error('something was rated')
  return { what: 'rating alone, one charge of five tiers', value: (user + system) / RATED, unit: 'µs/charge' }
}

const GRADUATED: Price = {
  model: 'tiered',
  per: '1000000',
  tiers: [
    { upTo: '100000', unitAmount: '0' },
    { upTo: '1000000', unitAmount: '3.00' },
    { upTo: '10000000', unitAmount: '2.40', flatAmount: '5.00' },
    { upTo: '1000000000', unitAmount: '1.8755' },
    { upTo: null, unitAmount: '1.101' },
  ],
}
