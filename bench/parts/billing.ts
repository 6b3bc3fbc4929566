import { removeDirectory, runTollgate, startTollgate, type TollgateProcess, waitFor } from '../../test/support/servers/tollgate-process.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, serverEnvironment } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, usageBetween, whenSettled } from '../process-usage.ts'
import { storeEvents } from '../stored-events.ts'
import { SUBSCRIBED_FOR_MS, subscribeInBulk } from '../subscribe-in-bulk.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const billingPart: BenchPart = {
  name: 'billing',
  about: 'invoices of three lines made final per second and their CPU, memory, the recount of their lines, and previews',
  run: measureBilling,
}

const EVENTS_PER_SUBSCRIPTION = 10
const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS
const MERGED_WITHIN_MS = 120_000
/** A base fee and two charges by the week: of the 20 days since the subscriptions started, two periods are over. */
const WEEKLY = {
  ...{ product: 'llm', name: 'Weekly', currency: 'USD', interval: 'week', baseFee: '5.00' },
  charges: [
    { key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.50', per: '1000000' } },
    { key: 'requests', feature: 'requests', price: { model: 'flat', unitAmount: '0.01' } },
  ],
}

async function measureBilling(context: BenchContext): Promise<readonly Figure[]> {
  const sizes = context.isQuick ? [1_000] : context.isLarge ? [1_000, 10_000, 100_000] : [1_000, 10_000]
  const figures: Figure[] = []
  for (const size of sizes) figures.push(...(await measureSize(size, context)))
  return figures
}

async function measureSize(count: number, context: BenchContext): Promise<readonly Figure[]> {
  const env = serverEnvironment(context)
  const first = await startTollgate({ env })
  const { dataDir } = first
  const label = `${count.toLocaleString('en')} subscriptions: `
  try {
    await createBenchCatalog(first)
    await first.ok('PUT', '/v1/billing-settings', { autoFinalise: false })
    await first.ok('PUT', '/v1/plans/weekly', WEEKLY)
    await first.stop()
    const startedMs = Date.now() - SUBSCRIBED_FOR_MS + DAY_MS
    const subscriptions = await subscribeInBulk(dataDir, count, 'weekly')
    const server = await startTollgate({ dataDir, env })
    try {
      const workload = { ...DEFAULT_WORKLOAD, customers: count, isEven: true }
      await storeEvents(server, count * EVENTS_PER_SUBSCRIPTION, context, undefined, workload)
      await whenSettled(server.pid, MERGED_WITHIN_MS)
      context.progress('openings')
      const opened = await run(server, startedMs)
      context.progress('invoices of a week')
      const idle = readProcessUsage(server.pid)
      const billed = await run(server, startedMs + WEEK_MS)
      const previews = await measurePreviews(server, subscriptions, context)
      return [
        {
          what: `${label}openings of one line`,
          value: opened.perSecond,
          unit: 'invoices/s',
          note: `${opened.cpuMs.toFixed(2)} ms of CPU each`,
        },
        { what: `${label}invoices of three lines made final`, value: billed.perSecond, unit: 'invoices/s', budget: { min: 2_000 } },
        {
          what: `${label}CPU of an invoice`,
          value: billed.cpuMs,
          unit: 'ms',
          budget: { max: 0.6 },
          note: `main thread ${billed.mainThreadCpuMs.toFixed(2)}; the rest is the engine of the usage store, the compiler and the collector`,
        },
        {
          what: `${label}memory above idle`,
          value: (billed.privateBytesMax - idle.privateBytes) / 2 ** 20,
          unit: 'MiB',
          budget: { max: 300 },
        },
        ...previews.map((figure) => ({ ...figure, what: `${label}${figure.what}` })),
        ...(await measureVerify(server, label)),
      ]
    } finally {
      await server.stop()
    }
  } finally {
    await first.stop()
    await removeDirectory(dataDir)
  }
}

/** One run over everything that is due by an instant. */
async function run(server: TollgateProcess, asOfMs: number) {
  const before = readProcessUsage(server.pid)
  let privateBytesMax = before.privateBytes
  const { id } = await server.ok<{ id: string }>('POST', '/v1/billing-runs', { asOf: new Date(asOfMs).toISOString() })
  let ended: { status: string; finalised?: number; tookMs?: number; detail?: string } = { status: 'running' }
  await waitFor(async () => {
    privateBytesMax = Math.max(privateBytesMax, readProcessUsage(server.pid).privateBytes)
    ended = await server.ok('GET', `/v1/billing-runs/${id}`)
    return ended.status !== 'running'
  })
  const { finalised = 0, tookMs = 0 } = ended
  if (ended.status !== 'finished' || finalised === 0) throw new Error(`the run made nothing: ${JSON.stringify(ended)}`)
  const { cpuMs, mainThreadCpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return {
    perSecond: finalised / (tookMs / 1_000),
    cpuMs: cpuMs / finalised,
    mainThreadCpuMs: mainThreadCpuMs / finalised,
    privateBytesMax,
  }
}

async function measurePreviews(
  server: TollgateProcess,
  subscriptions: readonly string[],
  context: BenchContext,
): Promise<readonly Figure[]> {
  context.progress('previews')
  const { latencyMs, requests, succeeded } = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: 1,
    requests: { kind: 'get', paths: subscriptions.map((id) => `/v1/subscriptions/${id}/invoice-preview`) },
    durationMs: context.isQuick ? 2_000 : 10_000,
    requestsPerSecond: null,
  })
  if (succeeded !== requests) throw new Error('previews were refused')
  return [{ what: 'a preview, p99', value: latencyMs.p99, unit: 'ms', budget: { max: 50 }, note: `p50 ${latencyMs.p50.toFixed(1)} ms` }]
}

async function measureVerify(server: TollgateProcess, label: string): Promise<readonly Figure[]> {
  await server.stop()
  const { code, output } = await runTollgate(['bill', 'verify'], { TOLLGATE_DATA_DIR: server.dataDir })
  const [, lines = '', seconds = ''] = /and ([\d,]+) counted lines?, in ([\d.]+) s/.exec(output) ?? []
  if (code !== 0 || lines === '') throw new Error(`bill verify found differences: ${output}`)
  const counted = Number(lines.replaceAll(',', ''))
  return [
    {
      what: `${label}bill verify`,
      value: (Number(seconds) * 100_000) / counted,
      unit: 's/100,000 lines',
      budget: { max: 120 },
      note: `${lines} lines`,
    },
  ]
}
