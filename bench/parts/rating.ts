import type { Price } from '../../domain/catalog/price.ts'
import { NANO } from '../../domain/decimal.ts'
import { rate } from '../../rating/rate.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, serverEnvironment } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, usageBetween, whenSettled } from '../process-usage.ts'
import { storeEvents } from '../stored-events.ts'
import { subscribeInBulk } from '../subscribe-in-bulk.ts'
import { createRandom, DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const ratingPart: BenchPart = {
  name: 'rating',
  about: 'upcoming invoices per second over HTTP for 100,000 subscriptions, and the pure rating alone',
  run: measureRating,
}

const RATED = 100_000
const MERGED_WITHIN_MS = 120_000

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
  // No subscription twice within a run, as in one pass over all of them, and not in the order in which usage is stored.
  const paths = shuffled(subscriptions).map((id) => `/v1/subscriptions/${id}/upcoming-invoice`)
  context.progress('merges')
  await whenSettled(server.pid, MERGED_WITHIN_MS)
  const figures: Figure[] = []
  for (const connections of AT_A_TIME) {
    context.progress(`upcoming invoices, ${connections} at a time`)
    const before = readProcessUsage(server.pid)
    const load = await runLoad({
      port: portOf(server),
      key: server.adminKey,
      connections,
      requests: { kind: 'get', paths },
      durationMs: context.isQuick ? 3_000 : 15_000,
      requestsPerSecond: null,
    })
    if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
    const { cpuMs, mainThreadCpuMs } = usageBetween(before, readProcessUsage(server.pid))
    const [perSecond, cpu, main] = [load.requests / (load.elapsedMs / 1_000), cpuMs / load.requests, mainThreadCpuMs / load.requests]
    figures.push(
      {
        what: `${connections} at a time: upcoming invoices`,
        value: perSecond,
        unit: 'invoices/s',
        note: `${subscriptions.length.toLocaleString('en')} subscriptions, ${stored.toLocaleString('en')} events; all of them in ${(subscriptions.length / perSecond / 60).toFixed(1)} minutes`,
      },
      {
        what: `${connections} at a time: server CPU`,
        value: cpu,
        unit: 'ms/invoice',
        note: `main thread ${main.toFixed(2)}; latency p50 ${load.latencyMs.p50.toFixed(1)} ms, p99 ${load.latencyMs.p99.toFixed(1)} ms`,
      },
    )
  }
  return figures
}

function shuffled<Value>(values: readonly Value[]): readonly Value[] {
  const random = createRandom(values.length)
  return values
    .map((value) => ({ value, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value)
}

/** One reader, a few callers, and a run over all subscriptions. */
const AT_A_TIME = [1, 4, 32]

/** One charge of five tiers, as in a graduated plan. */
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
