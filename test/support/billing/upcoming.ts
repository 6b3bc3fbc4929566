import { stateOfPeriod, upcomingLines } from '../../../billing/invoices/upcoming-lines.ts'
import { periodAt } from '../../../billing/steps/service-parts.ts'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, ProductKey, SubscriptionId } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'

const START_MS = Date.UTC(2023, 10, 1) as InstantMs

/** The first month of a subscription to a plan, priced with this usage: nano units by charge. */
export function upcomingOf(of: Partial<PlanVersion>, usage: ReadonlyMap<string, bigint>) {
  const plan: PlanVersion = {
    ...{ plan: 'plan' as PlanKey, version: 1, product: 'p' as ProductKey, name: 'Plan', currency: 'USD', interval: 'month' },
    ...{ baseFee: null, charges: [], entitlements: [], ...of },
  }
  const subscription: Subscription = {
    ...{ id: 'sub' as SubscriptionId, customer: 'acme' as CustomerKey, startMs: START_MS, anchorMs: START_MS, endMs: null },
    phases: [{ plan: plan.plan, planVersion: 1, startMs: START_MS, endMs: null }],
  }
  const inputs = { subscriptions: new Map([[subscription.id, subscription]]), planVersions: [plan], features: [], meters: [] }
  const state = orThrow(stateOfPeriod(inputs, subscription))
  const part = periodAt(state, START_MS)
  return upcomingLines(state, { ...part, before: null, shown: part.period }, ({ key }) => usage.get(key) ?? 0n)
}
