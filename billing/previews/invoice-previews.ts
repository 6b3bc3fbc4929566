import type { PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import { invariant } from '../../base/invariant.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { decidePlanChange, type PlanChange } from '../../domain/catalog/plan-change.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse, refuseField } from '../../domain/refusal.ts'
import { validatePriceOverrides } from '../../rating/validate-price-overrides.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'
import { type PreviewDeps, previewDocuments } from './preview-documents.ts'

export type InvoicePreviewsDeps = PreviewDeps & {
  readonly subscriptions: Pick<SubscriptionStore, 'get'>
  readonly plans: Pick<PlanStore, 'get'>
  readonly clock: Clock
}

export type InvoicePreviews = {
  /** The documents that would follow; see `previewDocuments`. Refuses `unknown_subscription`, `meter_backfilling`. */
  of(tenant: TenantKey, id: SubscriptionId, atMs: InstantMs): Promise<Outcome<readonly InvoiceRecord[]>>
  /** The same after a change of plan that is not made. Refuses what the change would be refused for. */
  afterChange(tenant: TenantKey, id: SubscriptionId, change: WantedChange): Promise<Outcome<readonly InvoiceRecord[]>>
}

/** Prices as they came in. */
export type WantedChange = Omit<PlanChange, 'to' | 'priceOverrides'> & {
  readonly plan: PlanKey
  readonly priceOverrides?: Readonly<Record<string, unknown>>
}

export function createInvoicePreviews(deps: InvoicePreviewsDeps): InvoicePreviews {
  const { subscriptions, plans, clock } = deps

  async function read(
    tenant: TenantKey,
    id: SubscriptionId,
    besides: readonly PlanVersion[] = [],
  ): Promise<Outcome<{ inputs: BillingInputs; subscription: Subscription }>> {
    const known = await subscriptions.get(tenant, id)
    if (known === null) return refuse('unknown_subscription', { subscription: id })
    const inputs = await deps.inputs.read(tenant, [known.customer], besides)
    const subscription = inputs.subscriptions.get(id)
    invariant(subscription !== undefined, `subscription ${id} is kept with its customer`)
    return { inputs, subscription }
  }

  return {
    async of(tenant, id, atMs) {
      const found = await read(tenant, id)
      return isRefusal(found) ? found : await previewDocuments(deps, { tenant, atMs, ...found })
    },
    async afterChange(tenant, id, { plan, priceOverrides: given, ...change }) {
      const to = await plans.get(tenant, plan)
      if (to === null) return refuseField('plan', refuse('unknown_plan', { plan }))
      const priceOverrides = given === undefined ? undefined : validatePriceOverrides(given, to)
      if (isRefusal(priceOverrides)) return priceOverrides
      const found = await read(tenant, id, [to])
      if (isRefusal(found)) return found
      const nowMs = clock.now()
      const changed = decidePlanChange(
        found.subscription,
        phasesOf(found),
        { to, ...change, ...(priceOverrides !== undefined && { priceOverrides }) },
        nowMs,
      )
      if (isRefusal(changed)) return changed
      const { subscription, atMs } = changed
      const inputs = { ...found.inputs, subscriptions: new Map([...found.inputs.subscriptions, [id, subscription]]) }
      return await previewDocuments(deps, { tenant, atMs, subscription, inputs })
    },
  }
}

/** The versions that the subscription is on, as it is. */
function phasesOf({ inputs, subscription }: { readonly inputs: BillingInputs; readonly subscription: Subscription }) {
  return inputs.planVersions.filter(({ plan, version }) =>
    subscription.phases.some((phase) => phase.plan === plan && phase.planVersion === version),
  )
}
