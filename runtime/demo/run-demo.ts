import { createDemoLedger, type DemoLedger } from './demo-ledger.ts'
import { DEMO_RUNS_HARD_LIMIT, DEMO_TOKENS_SOFT_LIMIT, demoCatalog } from './demo-scenario.ts'
import { createDemoTraffic, type DemoEvent, type DemoTraffic } from './demo-traffic.ts'
import type { DemoSnapshot, DemoView } from './demo-view.ts'

const CUSTOMERS = 300
const SEED = 20_260_131
const BATCH_EVENTS = 250
const BATCH_INTERVAL_MS = 100
const RUNS_PER_BATCH = 3
/** One batch in this many is sent twice, as a client with a bad network would. */
const REPEAT_EVERY_BATCHES = 20
const SUBSCRIBE_AT_ONCE = 20
const QUERYABLE_WITHIN_MS = 30_000

export type DemoApi = <Body>(method: string, path: string, body?: unknown) => Promise<Body>

export type DemoInvoice = {
  readonly currency: string
  readonly total: string
  readonly period: { readonly start: string; readonly end: string }
  readonly lines: readonly {
    readonly kind: string
    readonly charge?: string
    readonly quantity: string
    readonly amount: string
    readonly exact: string
  }[]
}

export type DemoResult = {
  readonly customer: string
  readonly subscription: string
  readonly invoice: DemoInvoice
  readonly owed: string
  readonly events: number
  /** What closing the subscription made: documents with numbers, and each counted line counted again from its events. */
  readonly final: { readonly documents: readonly DemoDocument[]; readonly proofs: readonly DemoProof[] }
}

export type DemoDocument = {
  readonly id: string
  readonly number: string | null
  readonly kind: string
  readonly total: string
  readonly contentHash: string | null
  readonly lines: readonly { readonly line: string; readonly trace?: object }[]
}

export type DemoProof = {
  readonly document: string
  readonly line: string
  readonly quantity: string
  readonly recounted: string
  readonly agrees: boolean
}

type Progress = { eventsSent: number; repeatsSent: number; runsAllowed: number; runsRefused: number }

/**
 * Sets the product up, streams usage for `durationMs` and returns the invoice of the heaviest customer beside what the
 * demo's own ledger says is owed. Talks to the server over HTTP alone, as an app would.
 */
export async function runDemo(options: { api: DemoApi; view: DemoView; durationMs: number; now: () => number }): Promise<DemoResult> {
  const { api, view, durationMs, now } = options
  const ledger = createDemoLedger()
  const traffic = createDemoTraffic({ customers: CUSTOMERS, seed: SEED, ledger })
  const progress: Progress = { eventsSent: 0, repeatsSent: 0, runsAllowed: 0, runsRefused: 0 }
  const subscriptions = await setUp(api)

  const startedMs = now()
  let lastSnapshot = { atMs: startedMs, eventsSent: 0 }
  for (let batch = 1; now() - startedMs < durationMs; batch++) {
    await sendBatch(api, traffic.nextBatch(BATCH_EVENTS), progress, batch % REPEAT_EVERY_BATCHES === 0)
    for (let run = 0; run < RUNS_PER_BATCH; run++) await tryRun(api, traffic, ledger, progress)
    if (now() - lastSnapshot.atMs >= 1_000) {
      const atMs = now()
      const eventsPerSecond = ((progress.eventsSent - lastSnapshot.eventsSent) * 1_000) / (atMs - lastSnapshot.atMs)
      view.show(await snapshot(api, ledger, progress, { elapsedMs: atMs - startedMs, durationMs, eventsPerSecond }))
      lastSnapshot = { atMs, eventsSent: progress.eventsSent }
    }
    await sleepUntil(startedMs + batch * BATCH_INTERVAL_MS, now)
  }
  view.end()

  await waitUntilQueryable(api, progress.eventsSent, now)
  const customer = ledger.heaviest(1)[0]
  const subscription = customer && subscriptions.get(customer)
  if (!customer || !subscription) throw new Error('the demo sent no events')
  const invoice = await api<DemoInvoice>('GET', `/v1/subscriptions/${subscription}/upcoming-invoice`)
  const owed = ledger.owed(customer)
  return { customer, subscription, invoice, owed, events: progress.eventsSent, final: await closeAccount(api, customer, subscription, now) }
}

async function setUp(api: DemoApi): Promise<ReadonlyMap<string, string>> {
  for (const { path, body } of demoCatalog()) await api('PUT', path, body)
  const names = Array.from({ length: CUSTOMERS }, (_, n) => `team-${String(n + 1).padStart(3, '0')}`)
  const subscriptions = new Map<string, string>()
  for (let from = 0; from < names.length; from += SUBSCRIBE_AT_ONCE) {
    await Promise.all(
      names.slice(from, from + SUBSCRIBE_AT_ONCE).map(async (customer) => {
        await api('PUT', `/v1/customers/${customer}`, { name: customer })
        const { id } = await api<{ id: string }>('POST', '/v1/subscriptions', { customer, plan: 'scale' })
        subscriptions.set(customer, id)
      }),
    )
  }
  return subscriptions
}

async function sendBatch(api: DemoApi, events: readonly DemoEvent[], progress: Progress, isRepeated: boolean): Promise<void> {
  await api('POST', '/v1/events', events)
  progress.eventsSent += events.length
  if (!isRepeated) return
  await api('POST', '/v1/events', events)
  progress.repeatsSent += events.length
}

/** Asks first, as an app does before it starts an agent. */
async function tryRun(api: DemoApi, traffic: DemoTraffic, ledger: DemoLedger, progress: Progress): Promise<void> {
  const { customer, event } = traffic.nextRun()
  const decision = await api<{ allowed: boolean }>('POST', '/v1/decisions', { customer, feature: 'agent_runs' })
  if (!decision.allowed) {
    progress.runsRefused += 1
    return
  }
  await api('POST', '/v1/events', event)
  ledger.agentRun(customer)
  progress.runsAllowed += 1
  progress.eventsSent += 1
}

async function snapshot(
  api: DemoApi,
  ledger: DemoLedger,
  progress: Progress,
  timing: Pick<DemoSnapshot, 'elapsedMs' | 'durationMs' | 'eventsPerSecond'>,
): Promise<DemoSnapshot> {
  const features = [
    { feature: 'agent_runs', limit: DEMO_RUNS_HARD_LIMIT, limitType: 'hard' },
    { feature: 'tokens', limit: DEMO_TOKENS_SOFT_LIMIT, limitType: 'soft' },
  ]
  const caps = await Promise.all(
    ledger.heaviest(3).flatMap((customer) =>
      features.map(async (cap) => {
        const { used } = await api<{ used: string }>('GET', `/v1/customers/${customer}/balances/${cap.feature}`)
        return { customer, used: Number(used), ...cap }
      }),
    ),
  )
  const windows = await api<{ data: unknown[] }>('GET', '/v1/meters/tokens/usage?window=minute&groupBy=customer,model')
  const nearestCaps = caps.sort((a, b) => b.used / b.limit - a.used / a.limit)
  return { ...timing, ...progress, windows: windows.data.length, nearestCaps }
}

/** The heaviest customer leaves: its subscription ends, and a run without grace makes its documents final. */
async function closeAccount(api: DemoApi, customer: string, subscription: string, now: () => number): Promise<DemoResult['final']> {
  await api('PUT', '/v1/billing-settings', { graceMs: 0, seller: { name: 'An AI product' } })
  await api('POST', `/v1/subscriptions/${subscription}/cancel`, { at: 'now' })
  const { id } = await api<{ id: string }>('POST', '/v1/billing-runs', { customers: [customer] })
  const deadlineMs = now() + QUERYABLE_WITHIN_MS
  while ((await api<{ status: string }>('GET', `/v1/billing-runs/${id}`)).status !== 'finished') {
    if (now() > deadlineMs) throw new Error(`billing run ${id} did not finish within ${QUERYABLE_WITHIN_MS} ms`)
    await sleepUntil(now() + 50, now)
  }
  const { data: documents } = await api<{ data: DemoDocument[] }>('GET', `/v1/invoices?customer=${customer}`)
  const counted = documents.flatMap(({ id, number, lines }) =>
    lines.flatMap(({ line, trace }) => (trace === undefined ? [] : [{ id, document: number ?? id, line }])),
  )
  const proofs = await Promise.all(
    counted.map(async ({ id: of, document, line }) => ({
      ...{ document, line },
      ...(await api<Omit<DemoProof, 'document' | 'line'>>('GET', `/v1/invoices/${of}/lines/${line}/proof`)),
    })),
  )
  return { documents, proofs }
}

async function waitUntilQueryable(api: DemoApi, events: number, now: () => number): Promise<void> {
  const deadlineMs = now() + QUERYABLE_WITHIN_MS
  for (;;) {
    const counts = await Promise.all(
      ['tokens', 'api_calls', 'agent_runs'].map((meter) => api<{ data: { events: number }[] }>('GET', `/v1/meters/${meter}/usage`)),
    )
    if (counts.reduce((sum, { data }) => sum + (data[0]?.events ?? 0), 0) >= events) return
    if (now() > deadlineMs) throw new Error(`not all of the ${events} events were queryable within ${QUERYABLE_WITHIN_MS} ms`)
    await sleepUntil(now() + 50, now)
  }
}

async function sleepUntil(atMs: number, now: () => number): Promise<void> {
  const restMs = atMs - now()
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs))
}
