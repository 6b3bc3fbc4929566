import type { TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { percentile } from './distribution.ts'
import { wholeMinute } from './measured-server.ts'
import type { BenchContext, Figure } from './part.ts'
import { readProcessUsage, usageBetween } from './process-usage.ts'
import { customerKey } from './usage-workload.ts'

/** Asks each query several times over HTTP, one after the other. */
export async function measureQueries(
  server: TollgateProcess,
  label: string,
  sinceMs: number,
  { isQuick, progress }: BenchContext,
): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const [what, path] of Object.entries(queriesSince(sinceMs))) {
    progress(what)
    figures.push(await measureQuery(server, `${label}${what}`, path, isQuick ? 3 : 20))
  }
  return figures
}

/** Queries that differ in how much is read (one customer, all) and in how many windows are answered (none, days, hours). */
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

/** A query that takes longer is asked a few times only. */
const QUERY_MS_MAX = 20_000
const TIMES_MIN = 3

async function measureQuery(server: TollgateProcess, what: string, path: string, times: number): Promise<Figure> {
  const tookMs: number[] = []
  await server.ok('GET', path)
  const before = readProcessUsage(server.pid)
  let rows = 0
  const untilMs = performance.now() + QUERY_MS_MAX
  while (tookMs.length < times && (tookMs.length < TIMES_MIN || performance.now() < untilMs)) {
    const startedMs = performance.now()
    rows = (await server.ok<{ data: unknown[] }>('GET', path)).data.length
    tookMs.push(performance.now() - startedMs)
  }
  const { cpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return {
    what,
    value: percentile(tookMs, 0.5),
    unit: 'ms',
    note: `p95 ${percentile(tookMs, 0.95).toFixed(0)} ms, CPU ${(cpuMs / tookMs.length).toFixed(0)} ms, ${rows} rows`,
  }
}
