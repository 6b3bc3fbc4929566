import type { TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { median } from './distribution.ts'
import { type LoadResult, type RequestSpec, runLoad } from './load.ts'
import { createBenchCatalog, portOf, subscribeCustomers } from './measured-server.ts'
import type { BenchContext, Figure } from './part.ts'
import { readProcessUsage, usageBetween } from './process-usage.ts'
import { customerKey } from './usage-workload.ts'

const CONNECTIONS = 32
/** The one figure that a comparable product publishes together with its resources: limit checks on one core, p95 under 10 ms. */
const PUBLISHED_PER_SECOND = 1_200
/** Each round measures every route once, in turn, so that other load on the machine falls on all of them. */
const ROUNDS = 5

/** Decisions, balances and reservations of a server that has the api role, compared with its empty route; then their latency at half load. */
export async function measureDecisions(server: TollgateProcess, context: BenchContext): Promise<readonly Figure[]> {
  const customers = context.isQuick ? 100 : 1_000
  const roundMs = context.isQuick ? 1_500 : 4_000
  context.progress(`${customers} customers with a limit`)
  await createBenchCatalog(server)
  await subscribeCustomers(server, customers)
  const keys = Array.from({ length: customers }, (_, index) => customerKey(index))
  const bodies = keys.map((customer) => JSON.stringify({ customer, feature: 'tokens', quantity: '1000' }))
  const routes = new Map<string, RequestSpec>([
    ['empty route', { kind: 'get', paths: ['/healthz'] }],
    ['decision', { kind: 'post', path: '/v1/decisions', bodies }],
    ['balance', { kind: 'get', paths: keys.map((customer) => `/v1/customers/${customer}/balances/tokens`) }],
    ['reservation', { kind: 'post', path: '/v1/reservations', bodies: keys.map(reservationOf) }],
  ])
  const measured = new Map([...routes].map(([name]) => [name, [] as Measured[]]))
  for (const [, requests] of routes) await runRoute(server, requests, roundMs / 2)
  for (let round = 1; round <= ROUNDS; round++) {
    context.progress(`round ${round} of ${ROUNDS}`)
    for (const [name, requests] of routes) measured.get(name)?.push(await runRoute(server, requests, roundMs))
  }
  const figures = [...measured].flatMap(([name, rounds]) => figuresOf(name, rounds, measured.get('empty route') ?? []))
  for (const name of ['decision', 'reservation']) {
    const requests = routes.get(name)
    if (requests === undefined) continue
    context.progress(`${name}, latency at half load`)
    const half = median((measured.get(name) ?? []).map(({ perSecond }) => perSecond)) / 2
    figures.push(...(await measureLatency(server, name, requests, half, context)))
  }
  const decisions = routes.get('decision')
  if (decisions === undefined) return figures
  context.progress(`decision, latency at ${PUBLISHED_PER_SECOND}/s`)
  return [...figures, ...(await measureLatency(server, 'decision', decisions, PUBLISHED_PER_SECOND, context))]
}

function reservationOf(customer: string): string {
  return JSON.stringify({ customer, feature: 'tokens', quantity: '1', ttlMs: 5_000 })
}

type Measured = { readonly perSecond: number; readonly cpuMicros: number; readonly mainThreadCpuMicros: number; readonly load: LoadResult }

async function runRoute(server: TollgateProcess, requests: RequestSpec, durationMs: number): Promise<Measured> {
  let before = readProcessUsage(server.pid)
  const load = await runLoad(
    { port: portOf(server), key: server.adminKey, connections: CONNECTIONS, requests, durationMs, requestsPerSecond: null },
    () => {
      before = readProcessUsage(server.pid)
    },
  )
  if (load.succeeded !== load.requests) throw new Error(`requests were refused: ${JSON.stringify(load.byStatus)}`)
  const { cpuMs, mainThreadCpuMs } = usageBetween(before, readProcessUsage(server.pid))
  return {
    perSecond: load.requests / (load.elapsedMs / 1_000),
    cpuMicros: (cpuMs * 1_000) / load.requests,
    mainThreadCpuMicros: (mainThreadCpuMs * 1_000) / load.requests,
    load,
  }
}

function figuresOf(name: string, rounds: readonly Measured[], emptyRounds: readonly Measured[]): Figure[] {
  const perSecond = median(rounds.map((round) => round.perSecond))
  const generatorMicros = median(rounds.map(({ load }) => (load.cpuMs * 1_000) / load.requests))
  const figures: Figure[] = [
    { what: name, value: perSecond, unit: 'requests/s', note: `generator ${generatorMicros.toFixed(0)} µs/request of its own` },
    {
      what: `${name}: server CPU`,
      value: median(rounds.map(({ cpuMicros }) => cpuMicros)),
      unit: 'µs/request',
      note: `main thread ${median(rounds.map((round) => round.mainThreadCpuMicros)).toFixed(1)}`,
    },
  ]
  if (rounds === emptyRounds) return figures
  const isBudget = name === 'decision'
  const ratios = rounds.map((round, at) => round.perSecond / (emptyRounds[at]?.perSecond ?? Number.NaN))
  const cpuRatios = rounds.map((round, at) => (emptyRounds[at]?.cpuMicros ?? Number.NaN) / round.cpuMicros)
  return [
    ...figures,
    {
      what: `${name} over the empty route`,
      value: median(ratios),
      unit: 'x',
      ...(isBudget ? { budget: { min: 0.7 } } : {}),
      note: `by round ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}; by CPU ${median(cpuRatios).toFixed(2)}`,
    },
  ]
}

async function measureLatency(
  server: TollgateProcess,
  name: string,
  requests: RequestSpec,
  requestsPerSecond: number,
  context: BenchContext,
): Promise<Figure[]> {
  const { latencyMs } = await runLoad({
    port: portOf(server),
    key: server.adminKey,
    connections: CONNECTIONS,
    requests,
    durationMs: context.isQuick ? 3_000 : 15_000,
    requestsPerSecond,
  })
  const label = `${name} at ${Math.round(requestsPerSecond).toLocaleString('en')}/s: `
  const isBudget = name === 'decision' && requestsPerSecond !== PUBLISHED_PER_SECOND
  return [
    { what: `${label}p50`, value: latencyMs.p50, unit: 'ms' },
    { what: `${label}p95`, value: latencyMs.p95, unit: 'ms' },
    { what: `${label}p99`, value: latencyMs.p99, unit: 'ms', ...(isBudget ? { budget: { max: 5 } } : {}) },
    { what: `${label}p99.9`, value: latencyMs.p999, unit: 'ms', note: `greatest ${latencyMs.max.toFixed(1)}` },
  ]
}
