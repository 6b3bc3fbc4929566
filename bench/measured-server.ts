import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { removeDirectory, startTollgate, type TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import type { BenchContext } from './part.ts'
import { customerKey, EVENT_TYPE } from './usage-workload.ts'

/** The real server on its own directory, as `tollgate serve` starts it; stopped and removed after `work`. */
export async function withServer<Result>(context: BenchContext, work: (server: TollgateProcess) => Promise<Result>): Promise<Result> {
  const server = await startTollgate({ env: serverEnvironment(context) })
  try {
    return await work(server)
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nThe server said last:\n${server.output().slice(-2_000)}`, {
      cause: error,
    })
  } finally {
    await server.stop()
    await removeDirectory(server.dataDir)
  }
}

export function serverEnvironment({ cpuProfileDir }: BenchContext): Record<string, string> {
  const node = cpuProfileDir === null ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${cpuProfileDir}` }
  return { TOLLGATE_LOG_LEVEL: 'warn', NODE_ENV: 'production', ...node }
}

export function portOf(server: TollgateProcess): number {
  return Number(new URL(server.url).port)
}

/** Two meters, one with a model dimension; a plan that limits and charges tokens. */
export async function createBenchCatalog(server: TollgateProcess): Promise<void> {
  await server.ok('PUT', '/v1/meters/tokens', {
    eventType: EVENT_TYPE,
    aggregation: 'sum',
    value: ['input_tokens', 'output_tokens'],
    dimensions: { model: 'model' },
  })
  await server.ok('PUT', '/v1/meters/requests', { eventType: EVENT_TYPE, aggregation: 'count' })
  await server.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
  await server.ok('PUT', '/v1/features/requests', { type: 'metered', meter: 'requests' })
  await server.ok('PUT', '/v1/products/llm', { name: 'LLM gateway' })
  await server.ok('PUT', '/v1/plans/pro', {
    product: 'llm',
    name: 'Pro',
    currency: 'USD',
    interval: 'month',
    baseFee: '20.00',
    charges: [{ key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.50', per: '1000000' } }],
    entitlements: [{ feature: 'tokens', limit: '1000000000', limitType: 'hard', reset: 'month' }],
  })
}

/** Subscribes each of the first customers and resolves with their ids, once their counters are tracked. */
export async function subscribeCustomers(server: TollgateProcess, count: number): Promise<readonly string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += SUBSCRIBED_AT_ONCE) {
    const some = Array.from({ length: Math.min(SUBSCRIBED_AT_ONCE, count - from) }, (_, at) => customerKey(from + at))
    ids.push(
      ...(await Promise.all(
        some.map(async (customer) => {
          await server.ok('PUT', `/v1/customers/${customer}`, {})
          const { id } = await server.ok<{ id: string }>('POST', '/v1/subscriptions', { customer, plan: 'pro' })
          await server.ok('GET', `/v1/customers/${customer}/balances/tokens`)
          return id
        }),
      )),
    )
  }
  return ids
}

const SUBSCRIBED_AT_ONCE = 50

/** Events of all customers that the meter of requests counts, as the usage route answers. */
export async function countQueryable(server: TollgateProcess, sinceMs: number): Promise<number> {
  const path = `/v1/meters/requests/usage?from=${wholeMinute(sinceMs)}&to=${wholeMinute(Date.now() + 3_600_000)}`
  const { data } = await server.ok<{ data: { events: number }[] }>('GET', path)
  return data[0]?.events ?? 0
}

/**
 * Resolves when the usage route counts every event sent. The measured server pays for each question, more as it holds more, so
 * the route is asked only when nothing is left to fold.
 */
export async function whenQueryable(server: TollgateProcess, sinceMs: number, events: number, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    const counted = (await recordsToFold(server)) > 0 ? 0 : await countQueryable(server, sinceMs)
    if (counted === events) return
    if (counted > events) throw new Error(`${counted} events are counted, but ${events} were sent`)
    if (performance.now() > deadlineMs) throw new Error(`${counted} of ${events} events were queryable after ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, ASKED_EVERY_MS))
  }
}

const ASKED_EVERY_MS = 200

async function recordsToFold(server: TollgateProcess): Promise<number> {
  const { text } = await server.call('GET', '/metrics')
  const lags = text.matchAll(/^tollgate_aggregator_lag_records\{.*\} (\d+)$/gm)
  return [...lags].reduce((sum, [, records]) => sum + Number(records), 0)
}

/** Whole minutes are answered from windows alone. */
export function wholeMinute(atMs: number): string {
  return new Date(Math.floor(atMs / 60_000) * 60_000).toISOString()
}

export function storedBytes(server: Pick<TollgateProcess, 'dataDir'>, store: 'usage-store' | 'event-log' | 'catalog' | 'counters'): number {
  const [bytes = ''] = execFileSync('du', ['-sb', join(server.dataDir, store)], { encoding: 'utf8' }).split('\t')
  return Number(bytes)
}

/** The value of a counter or gauge without labels. */
export async function metricOf(server: TollgateProcess, name: string): Promise<number> {
  const { text } = await server.call('GET', '/metrics')
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}
