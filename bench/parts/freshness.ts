import type { TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { percentile } from '../distribution.ts'
import { runLoad } from '../load.ts'
import { createBenchCatalog, portOf, subscribeCustomers, wholeMinute, withServer } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { storeEvents } from '../stored-events.ts'
import { DEFAULT_WORKLOAD, EVENT_TYPE } from '../usage-workload.ts'

export const freshnessPart: BenchPart = {
  name: 'freshness',
  about: 'from the 202 to the balance and to the usage store, idle and under half of the full load',
  run: (context) => withServer(context, (server) => measureFreshness(server, context)),
}

const PROBE_CUSTOMER = 'probe'
/** As many customers have a balance as in the part `ingest`. */
const SUBSCRIBED = 1_000
const PROBE_INTERVAL_MS = 100
/** Each question costs the server some 15 ms, which must not become what is measured. */
const USAGE_ASKED_EVERY_MS = 100
const SEEN_WITHIN_MS = 60_000

async function measureFreshness(server: TollgateProcess, context: BenchContext): Promise<readonly Figure[]> {
  await createBenchCatalog(server)
  await subscribeCustomers(server, context.isQuick ? 100 : SUBSCRIBED)
  // A customer's first event makes it known to the catalog, which costs more than its next thousand.
  await storeEvents(server, context.isQuick ? 20_000 : 200_000, context)
  await server.ok('PUT', `/v1/customers/${PROBE_CUSTOMER}`, {})
  await server.ok('POST', '/v1/subscriptions', { customer: PROBE_CUSTOMER, plan: 'pro' })
  await server.ok('GET', `/v1/customers/${PROBE_CUSTOMER}/balances/tokens`)
  const probes = context.isQuick ? 30 : 200
  context.progress('idle')
  const idle = await measureProbes(server, probes, 0)
  context.progress('what the server takes at most')
  const full = await runLoad({ ...loadOf(server, context.isQuick ? 3_000 : 10_000, 'full'), requestsPerSecond: null })
  const fullPerSecond = full.requests / (full.elapsedMs / 1_000)
  context.progress(`half of it: ${Math.round(fullPerSecond / 2)} requests of ${BATCH_EVENTS} events a second`)
  const load = runLoad({ ...loadOf(server, probes * PROBE_INTERVAL_MS + 5_000, 'half'), requestsPerSecond: fullPerSecond / 2 })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const half = await measureProbes(server, probes, probes)
  const { latencyMs } = await load
  return [
    ...figuresOf('idle', idle, false),
    ...figuresOf(`half load, ${Math.round((fullPerSecond / 2) * BATCH_EVENTS).toLocaleString('en')} events/s`, half, true),
    { what: 'half load: the 202 itself, p99', value: latencyMs.p99, unit: 'ms', note: `p50 ${latencyMs.p50.toFixed(1)}` },
  ]
}

const BATCH_EVENTS = 100

function loadOf(server: TollgateProcess, durationMs: number, idPrefix: string) {
  const requests = { kind: 'events' as const, batchEvents: BATCH_EVENTS, workload: DEFAULT_WORKLOAD, idPrefix, spreadMs: 0 }
  return { port: portOf(server), key: server.adminKey, connections: 16, requests, durationMs }
}

type Delays = { readonly toBalanceMs: number[]; readonly toUsageMs: number[] }

/** Sends events of one token, one after the other, so that balance and usage show how many of them have arrived. */
async function measureProbes(server: TollgateProcess, probes: number, alreadySent: number): Promise<Delays> {
  const answeredMs: number[] = []
  const fromMs = Date.now() - 86_400_000
  const balance = `/v1/customers/${PROBE_CUSTOMER}/balances/tokens`
  const usage = `/v1/meters/tokens/usage?customer=${PROBE_CUSTOMER}&from=${wholeMinute(fromMs)}&to=${wholeMinute(Date.now() + 3_600_000)}`
  const toBalance = watch(probes, answeredMs, 1, async () => Number((await server.ok<{ used: string }>('GET', balance)).used) - alreadySent)
  const toUsage = watch(probes, answeredMs, USAGE_ASKED_EVERY_MS, async () => {
    const { data } = await server.ok<{ data: { events: number }[] }>('GET', usage)
    return (data[0]?.events ?? 0) - alreadySent
  })
  for (let probe = 0; probe < probes; probe++) {
    const dueMs = performance.now() + PROBE_INTERVAL_MS
    const data = { model: 'probe', input_tokens: 1, output_tokens: 0 }
    await server.ok('POST', '/v1/events', { id: `probe_${alreadySent + probe}`, type: EVENT_TYPE, customer: PROBE_CUSTOMER, data })
    answeredMs.push(performance.now())
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
  }
  return { toBalanceMs: await toBalance, toUsageMs: await toUsage }
}

/** For each probe, how long after its 202 it was first seen. */
async function watch(probes: number, answeredMs: readonly number[], everyMs: number, seen: () => Promise<number>): Promise<number[]> {
  const delaysMs: number[] = []
  const deadlineMs = performance.now() + probes * PROBE_INTERVAL_MS + SEEN_WITHIN_MS
  while (delaysMs.length < probes) {
    const count = await seen()
    const nowMs = performance.now()
    // A probe seen before its 202 reached us was not late.
    while (delaysMs.length < Math.min(count, answeredMs.length)) delaysMs.push(Math.max(0, nowMs - (answeredMs[delaysMs.length] ?? nowMs)))
    if (nowMs > deadlineMs) throw new Error(`${delaysMs.length} of ${probes} probes were seen`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
  return delaysMs
}

function figuresOf(label: string, { toBalanceMs, toUsageMs }: Delays, isBudget: boolean): Figure[] {
  const figure = (what: string, delaysMs: readonly number[], fraction: number, max: number): Figure => ({
    what: `${label}: to the ${what}, p${fraction * 100}`,
    value: percentile(delaysMs, fraction),
    unit: 'ms',
    ...(isBudget && fraction === 0.99 ? { budget: { max } } : {}),
  })
  return [
    figure('balance', toBalanceMs, 0.5, 50),
    figure('balance', toBalanceMs, 0.99, 50),
    figure('usage store', toUsageMs, 0.5, 2_000),
    figure('usage store', toUsageMs, 0.99, 2_000),
  ]
}
