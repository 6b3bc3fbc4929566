import { createFeatureCounter, type FeatureCounter } from '../aggregator/fold/counter-fold.ts'
import { createEventPlans, type EventPlans, LIVE_TO_OFFSET } from '../aggregator/fold/event-plans.ts'
import { createFoldCustomer, type FoldCustomer } from '../aggregator/fold/record-fold.ts'
import type { TrackedFeature } from '../domain/entitlements/tracked-feature.ts'
import type { CustomerKey, FeatureKey, InstantMs, MeterKey, Offset, TenantKey } from '../domain/identity.ts'
import { type HashSeed, hashSeed } from '../domain/metering/event-hash.ts'
import type { Meter } from '../domain/metering/meter.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import { isRefusal } from '../domain/refusal.ts'
import { type ParseContext, parseUsageEvent } from '../ingest/usage-event-parsing.ts'
import { refusalDetail } from '../schemas/http/refusal-answer.ts'
import { createWorkloadEvents, EVENT_TYPE, type WorkloadEvent } from './usage-workload.ts'

/** Inputs of the benches that call functions in one process: the same events that the load generator sends. */
export const TENANT = 'default' as TenantKey

/** Event time runs as at 100,000 events per second. */
const EVENTS_PER_MS = 100

/** JSON text of one request of these events. Ids and times depend on the round, as the load generator's do. */
export function requestText(events: readonly WorkloadEvent[], firstIndex: number, round: number, nowMs: number): string {
  return `[${events.map((event, at) => eventText(event, firstIndex + at, round, nowMs + (firstIndex + at) / EVENTS_PER_MS)).join(',')}]`
}

function eventText(event: WorkloadEvent, index: number, round: number, atMs: number): string {
  const id = `req_${String(event.repeatsLastRound ? round - 1 : round).padStart(6, '0')}_${String(event.repeats ?? index).padStart(8, '0')}`
  const data = { model: event.model, input_tokens: event.inputTokens, output_tokens: event.outputTokens }
  return JSON.stringify({ id, source: 'gateway', type: EVENT_TYPE, customer: event.customer, time: new Date(atMs).toISOString(), data })
}

export function parseContext(nowMs: number): ParseContext {
  return {
    receivedAtMs: nowMs as InstantMs,
    earliestMs: (nowMs - 35 * 86_400_000) as InstantMs,
    latestMs: (nowMs + 3_600_000) as InstantMs,
    clockAheadMs: 0,
    customerOf: (name) => name as CustomerKey,
  }
}

/** Parsed and validated, in request order. */
export function usageEvents(count: number, round: number, nowMs: number): UsageEvent[] {
  const workload = createWorkloadEvents({ customers: 5_000, poolEvents: count, repeatShare: 0.01 })
  const values = JSON.parse(requestText(workload, 0, round, nowMs)) as unknown[]
  const context = parseContext(nowMs + count)
  return values.map((value) => {
    const event = parseUsageEvent(value, context)
    if (isRefusal(event)) throw new Error(refusalDetail(event))
    return event
  })
}

export const METERS: readonly Meter[] = [
  {
    tenant: TENANT,
    key: 'tokens' as MeterKey,
    revision: 1,
    eventType: EVENT_TYPE,
    aggregation: 'sum',
    value: ['input_tokens', 'output_tokens'],
    dimensions: { model: 'model' },
  },
  { tenant: TENANT, key: 'requests' as MeterKey, revision: 2, eventType: EVENT_TYPE, aggregation: 'count', value: [], dimensions: {} },
]

export function createFoldPlans(): EventPlans {
  const plans = createEventPlans()
  plans.count(METERS.map((meter) => ({ meter, fromOffset: 0 as Offset, toOffset: LIVE_TO_OFFSET })))
  return plans
}

/** One object per customer, as the partition keeps them; each with a counter on its tokens. */
export function createFoldCustomers(): (customer: CustomerKey) => FoldCustomer & { readonly seed: HashSeed } {
  const known = new Map<CustomerKey, FoldCustomer & { readonly seed: HashSeed }>()
  return (key) => {
    let customer = known.get(key)
    if (customer === undefined) {
      customer = { ...createFoldCustomer(new Map([[EVENT_TYPE, [tokensCounter()]]])), seed: hashSeed(TENANT, key) }
      known.set(key, customer)
    }
    return customer
  }
}

function tokensCounter(): FeatureCounter {
  const [meter] = METERS
  if (meter === undefined) throw new Error('there is a first meter')
  const startMs = Date.UTC(2026, 0, 1) as InstantMs
  const tracked: TrackedFeature = {
    feature: 'tokens' as FeatureKey,
    meter,
    filter: {},
    schedule: { interval: 'month', anchor: 'calendar', anchorMs: startMs, fromMs: startMs, timezone: 'UTC' },
    boundariesMs: [],
    keptFromMs: null,
    definition: 'bench',
  }
  return createFeatureCounter(tracked, startMs)
}
