import type { SeededRandom } from '../support/seeded-random.ts'
import type { RetryingClient } from './retrying-client.ts'

export type MeterSpec = {
  readonly key: string
  readonly eventType: string
  readonly aggregation: 'sum' | 'count' | 'max' | 'min' | 'unique' | 'latest'
  readonly value: readonly string[]
  readonly dimensions: readonly string[]
}
export type FeatureSpec = { readonly key: string; readonly meter: string; readonly filter?: Readonly<Record<string, readonly string[]>> }
export type PriceSpec =
  | { readonly model: 'flat'; readonly unitAmount: string; readonly per?: string }
  | { readonly model: 'tiered'; readonly tiers: readonly { upTo: string | null; unitAmount: string; flatAmount?: string }[] }
export type ChargeSpec = { readonly key: string; readonly feature: string; readonly price: PriceSpec }
export type EntitlementSpec = {
  readonly feature: string
  readonly limit: string | null
  readonly limitType: 'hard' | 'soft'
  readonly reset: 'hour' | 'day' | 'week' | 'month' | 'never'
  readonly anchor?: 'calendar'
}
export type PlanSpec = {
  readonly key: string
  readonly interval: 'week' | 'month'
  readonly baseFee: string
  readonly charges: readonly ChargeSpec[]
  readonly entitlements: readonly EntitlementSpec[]
}

/** The catalog that one run sets up, and what it adds while it runs. */
export type World = {
  /** Meters as they were last put. */
  readonly meters: Map<string, MeterSpec>
  readonly features: ReadonlyMap<string, FeatureSpec>
  readonly plans: ReadonlyMap<string, PlanSpec>
  /** Customer to plan; each has one subscription. */
  readonly subscribers: ReadonlyMap<string, Subscriber>
  /** Nobody creates these customers: they appear with their first event. */
  readonly strangers: readonly string[]
  readonly meterChanges: readonly MeterSpec[]
}
export type Subscriber = {
  readonly customer: string
  readonly plan: string
  readonly startAtMs: number
  readonly usesCreditsByEvents: boolean
}

/** A feature with a hard limit in each plan, which all customers but one use by reservations only. */
export const CREDITS = 'credits'

export function createWorld(random: SeededRandom, nowMs: number): World {
  const subscribers = ['acme', 'bolt', 'corp/emea', 'd:4', 'eve@x', 'faro'].map((customer, index) => ({
    customer,
    plan: random.pick(['pro', 'team']),
    // An odd millisecond in the middle of a minute, and far from where a period of days, weeks or months would end.
    startAtMs: nowMs - random.between(1, 20) * DAY_MS - random.between(3 * HOUR_MS, 21 * HOUR_MS),
    usesCreditsByEvents: index === 5,
  }))
  return {
    meters: new Map(METERS.map((meter) => [meter.key, meter])),
    features: new Map(FEATURES.map((feature) => [feature.key, feature])),
    plans: new Map(PLANS.map((plan) => [plan.key, plan])),
    subscribers: new Map(subscribers.map((subscriber) => [subscriber.customer, subscriber])),
    strangers: ['nobody', 'passer.by'],
    meterChanges: random.shuffled(METER_CHANGES),
  }
}

/** Everything is a PUT by key, except subscriptions, which are looked for before they are created. */
export async function setUpWorld(client: RetryingClient, world: World): Promise<void> {
  for (const meter of world.meters.values()) await putMeter(client, meter)
  for (const { key, ...feature } of world.features.values()) {
    await client.expect('PUT', `/v1/features/${key}`, { type: 'metered', ...feature }, [200, 201])
  }
  await client.expect('PUT', '/v1/products/app', { name: 'App' }, [200, 201])
  for (const { key, ...plan } of world.plans.values()) {
    await client.expect('PUT', `/v1/plans/${key}`, { product: 'app', name: key, currency: 'EUR', ...plan }, [200, 201])
  }
  await Promise.all(
    [...world.subscribers.values()].map(async (subscriber) => {
      const path = `/v1/customers/${encodeURIComponent(subscriber.customer)}`
      await client.expect('PUT', path, { subjects: [subjectOf(subscriber.customer)] }, [200, 201])
      await subscribe(client, subscriber)
    }),
  )
}

export async function putMeter(client: RetryingClient, { key, eventType, aggregation, value, dimensions }: MeterSpec): Promise<void> {
  const body = {
    eventType,
    aggregation,
    ...(value.length === 0 ? {} : { value }),
    dimensions: Object.fromEntries(dimensions.map((name) => [name, name])),
  }
  await client.expect('PUT', `/v1/meters/${key}`, body, [200, 201])
}

/** As an app does that does not know whether its first try arrived: it looks before it asks again. */
async function subscribe(client: RetryingClient, { customer, plan, startAtMs }: Subscriber): Promise<void> {
  const path = `/v1/subscriptions?customer=${encodeURIComponent(customer)}`
  const body = { customer, plan, startAt: new Date(startAtMs).toISOString() }
  const isThere = async () => (await client.expect<{ data: unknown[] }>('GET', path, undefined, [200])).data.length > 0
  await client.until(async () => (await isThere()) || (await client.once('POST', '/v1/subscriptions', body))?.status === 201)
}

export function subjectOf(customer: string): string {
  return `user of ${customer}`
}

export const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

const METERS: readonly MeterSpec[] = [
  { key: 'tokens', eventType: 'llm.request', aggregation: 'sum', value: ['input', 'output'], dimensions: ['model'] },
  { key: 'requests', eventType: 'llm.request', aggregation: 'count', value: [], dimensions: ['model'] },
  { key: 'users', eventType: 'llm.request', aggregation: 'unique', value: ['user'], dimensions: [] },
  { key: 'seconds', eventType: 'job.run', aggregation: 'sum', value: ['seconds'], dimensions: ['region'] },
  { key: 'slowest', eventType: 'job.run', aggregation: 'max', value: ['seconds'], dimensions: [] },
  { key: 'credits', eventType: 'credit.used', aggregation: 'sum', value: ['credits'], dimensions: [] },
]

/** New meters over events that exist already, and changed ones, whose counters must be counted anew. */
const METER_CHANGES: readonly MeterSpec[] = [
  { key: 'jobs', eventType: 'job.run', aggregation: 'count', value: [], dimensions: ['region'] },
  { key: 'fastest', eventType: 'job.run', aggregation: 'min', value: ['seconds'], dimensions: ['region'] },
  { key: 'last', eventType: 'job.run', aggregation: 'latest', value: ['seconds'], dimensions: [] },
  { key: 'input', eventType: 'llm.request', aggregation: 'sum', value: ['input'], dimensions: ['model', 'user'] },
  { key: 'tokens', eventType: 'llm.request', aggregation: 'sum', value: ['input', 'output'], dimensions: ['model', 'user'] },
  { key: 'slowest', eventType: 'job.run', aggregation: 'max', value: ['seconds'], dimensions: ['region'] },
]

const FEATURES: readonly FeatureSpec[] = [
  { key: 'tokens', meter: 'tokens' },
  { key: 'large_tokens', meter: 'tokens', filter: { model: ['large'] } },
  { key: 'requests', meter: 'requests' },
  { key: 'users', meter: 'users' },
  { key: 'seconds', meter: 'seconds' },
  { key: 'slowest', meter: 'slowest' },
  { key: CREDITS, meter: 'credits' },
]

const CHARGES: readonly ChargeSpec[] = [
  { key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.5', per: '1000' } },
  {
    key: 'large',
    feature: 'large_tokens',
    price: {
      model: 'tiered',
      tiers: [
        { upTo: '2000', unitAmount: '0.0125' },
        { upTo: '10000', unitAmount: '0.007', flatAmount: '1.5' },
        { upTo: null, unitAmount: '0.0031' },
      ],
    },
  },
  { key: 'seconds', feature: 'seconds', price: { model: 'flat', unitAmount: '0.00017' } },
  { key: 'users', feature: 'users', price: { model: 'flat', unitAmount: '3' } },
  { key: 'credits', feature: CREDITS, price: { model: 'flat', unitAmount: '0.045' } },
]

const PLANS: readonly PlanSpec[] = [
  {
    key: 'pro',
    interval: 'month',
    baseFee: '20.00',
    charges: CHARGES,
    entitlements: [
      { feature: 'tokens', limit: '20000', limitType: 'soft', reset: 'month' },
      { feature: 'large_tokens', limit: null, limitType: 'soft', reset: 'week' },
      { feature: 'requests', limit: '150', limitType: 'hard', reset: 'month' },
      { feature: 'users', limit: null, limitType: 'soft', reset: 'never' },
      { feature: 'seconds', limit: '500', limitType: 'hard', reset: 'never' },
      { feature: 'slowest', limit: '30', limitType: 'soft', reset: 'month' },
      { feature: CREDITS, limit: '25', limitType: 'hard', reset: 'month' },
    ],
  },
  {
    key: 'team',
    interval: 'week',
    baseFee: '7.35',
    charges: CHARGES.slice(0, 3),
    entitlements: [
      { feature: 'tokens', limit: '5000', limitType: 'soft', reset: 'day', anchor: 'calendar' },
      { feature: 'requests', limit: '60', limitType: 'hard', reset: 'week' },
      { feature: 'seconds', limit: '200.5', limitType: 'hard', reset: 'month', anchor: 'calendar' },
      { feature: CREDITS, limit: '12.5', limitType: 'hard', reset: 'never' },
    ],
  },
]
