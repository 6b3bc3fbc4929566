import type { TollgateProcess } from '../../test/support/tollgate-process.ts'
import { percentile } from '../distribution.ts'
import { createBenchCatalog, wholeMinute, withServer } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage, usageBetween, whenSettled } from '../process-usage.ts'
import { type StoredEvents, sizeLabel, storedSizes, storeEvents } from '../stored-events.ts'
import { customerKey } from '../usage-workload.ts'

export const queriesPart: BenchPart = {
  name: 'queries',
  about: 'usage over a month among stored events: by day for one customer, by model, by customer',
  run: (context) => withServer(context, (server) => measureQueries(server, context)),
}

const MERGED_WITHIN_MS = 120_000

async function measureQueries(server: TollgateProcess, context: BenchContext): Promise<readonly Figure[]> {
  await createBenchCatalog(server)
  const figures: Figure[] = []
  let before: StoredEvents | undefined
  for (const size of storedSizes(context)) {
    before = await storeEvents(server, size, context, before)
    context.progress('merges')
    await whenSettled(server.pid, MERGED_WITHIN_MS)
    for (const [what, path] of Object.entries(queriesSince(before.sinceMs))) {
      context.progress(what)
      figures.push(await measureQuery(server, `${sizeLabel(size)}${what}`, path, context.isQuick ? 3 : 20))
    }
  }
  return figures
}

/** By how much is read (one customer, all) and by how many windows are answered (none, days, hours). */
function queriesSince(sinceMs: number): Record<string, string> {
  const month = `from=${wholeMinute(sinceMs)}&to=${wholeMinute(Date.now() + 3_600_000)}`
  const customer = customerKey(1)
  return {
    'one customer, month by day': `/v1/meters/tokens/usage?${month}&window=day&customer=${customer}`,
    'one customer, month by hour': `/v1/meters/tokens/usage?${month}&window=hour&customer=${customer}`,
    'one customer, month by day and model': `/v1/meters/tokens/usage?${month}&window=day&groupBy=model&customer=${customer}`,
    'all customers, month by model': `/v1/meters/tokens/usage?${month}&groupBy=model`,
    'all customers, month by day': `/v1/meters/tokens/usage?${month}&window=day`,
    'month by customer': `/v1/meters/tokens/usage?${month}&groupBy=customer`,
    'newest 100 events of one customer': `/v1/events?customer=${customer}&limit=100`,
  }
}

async function measureQuery(server: TollgateProcess, what: string, path: string, times: number): Promise<Figure> {
  const tookMs: number[] = []
  await server.ok('GET', path)
  const before = readProcessUsage(server.pid)
  let rows = 0
  for (let time = 0; time < times; time++) {
    const startedMs = performance.now()
    rows = (await server.ok<{ data: unknown[] }>('GET', path)).data.length
    tookMs.push(performance.now() - startedMs)
  }
  const { cpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return {
    what,
    value: percentile(tookMs, 0.5),
    unit: 'ms',
    note: `p95 ${percentile(tookMs, 0.95).toFixed(0)} ms, CPU ${(cpuMs / times).toFixed(0)} ms, ${rows} rows`,
  }
}
