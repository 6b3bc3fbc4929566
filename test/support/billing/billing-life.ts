import type { BillingServer } from './billing-server.ts'
import type { StoryPlan } from './billing-story.ts'

type Step = {
  readonly at: string
  readonly do: 'usage' | 'change' | 'cancel' | 'bill'
  readonly feature?: string
  readonly quantity?: string
  readonly occurredAt?: string
  readonly plan?: string
  readonly when?: 'now' | 'periodEnd'
}

/** A worked life: plans, a subscription, and what happens to it. */
export type LifeInput = {
  readonly currency: string
  readonly plans: Readonly<Record<string, StoryPlan>>
  readonly subscription: {
    readonly plan: string
    readonly startAt: string
    readonly anchor?: string
    readonly coupons?: readonly { readonly percent: string }[]
  }
  readonly timeline: readonly Step[]
}

export type FinalInvoice = {
  readonly [field in 'id' | 'document' | 'kind' | 'closesAt' | 'finalisedAt' | 'net' | 'tax' | 'total' | 'balanceApplied' | 'due']: string
} & {
  readonly number: string | null
  readonly lines: readonly {
    readonly line: string
    readonly kind: string
    readonly item?: string
    readonly plan?: string
    readonly from: string
    readonly to: string
    readonly quantity?: string
    readonly amount: string
    readonly discount: string
    readonly trace?: object
  }[]
}

export type BillingLife = {
  /** What is to be done on the server, each when its clock stands at the instant. */
  readonly steps: readonly { readonly at: string; run(): Promise<void> }[]
  documents(): Promise<readonly FinalInvoice[]>
}

/** The life as calls of the HTTP API. Its keys begin with its name, so that many live on one server. */
export function createBillingLife(name: string, input: LifeInput, server: () => BillingServer): BillingLife {
  const { currency, plans, subscription, timeline } = input
  let id = ''
  let events = 0
  const features = new Set(Object.values(plans).flatMap(({ charges = [] }) => charges.map(({ feature }) => feature)))

  async function setUp(): Promise<void> {
    const { ok } = server()
    await ok('PUT', '/v1/products/p', { name: 'P' })
    for (const feature of features) {
      await ok('PUT', `/v1/meters/${feature}`, { eventType: feature, aggregation: 'sum', value: 'quantity' })
      await ok('PUT', `/v1/features/${feature}`, { type: 'metered', meter: feature })
    }
    for (const [key, plan] of Object.entries(plans))
      await ok('PUT', `/v1/plans/${name}.${key}`, { product: 'p', name: key, currency, ...plan })
    await ok('PUT', `/v1/customers/${name}`, {})
    const coupons = (subscription.coupons ?? []).map(({ percent }, index) => ({ key: `${name}.${index}`, percent }))
    for (const { key, percent } of coupons) await ok('PUT', `/v1/coupons/${key}`, { percent, duration: 'forever' })
    const { plan, startAt, anchor } = subscription
    const made = await ok<{ id: string }>('POST', '/v1/subscriptions', {
      ...{ customer: name, plan: `${name}.${plan}`, startAt, coupons: coupons.map(({ key }) => key) },
      ...(anchor !== undefined && { anchor }),
    })
    id = made.id
  }

  async function perform({ do: what, at, feature, quantity, occurredAt, plan, when = 'now' }: Step): Promise<void> {
    const { ok, bill } = server()
    if (what === 'bill') await bill({ customers: [name] })
    else if (what === 'cancel') await ok('POST', `/v1/subscriptions/${id}/cancel`, { at: when })
    else if (what === 'change') await ok('POST', `/v1/subscriptions/${id}/change`, { plan: `${name}.${plan}`, at: when })
    else {
      const event = { id: `${name}/${++events}`, source: 'life', type: feature, subject: name, time: occurredAt ?? at, data: { quantity } }
      await ok('POST', '/v1/events', [{ specversion: '1.0', ...event }])
    }
  }

  return {
    steps: [{ at: subscription.startAt, run: setUp }, ...timeline.map((step) => ({ at: step.at, run: () => perform(step) }))],
    documents: async () => (await server().ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?customer=${name}`)).data,
  }
}
