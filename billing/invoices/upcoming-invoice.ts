import type { InvoiceInputsReader } from '../../adapters/database/invoices/invoice-inputs-reader.ts'
import { createBatchedReads } from '../../base/batched-reads.ts'
import type { Clock } from '../../base/clock.ts'
import { invariant } from '../../base/invariant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { InstantMs, Period, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { BILLING_BOUNDS } from '../billing-bounds.ts'
import { readPageUsage } from '../runs/page-usage.ts'
import { periodAt } from '../steps/service-parts.ts'
import { stateOfPeriod, type UpcomingLines, upcomingLines } from './upcoming-lines.ts'
import { questionsOf } from './usage-questions.ts'

export type UpcomingInvoice = UpcomingLines & {
  readonly planVersion: Pick<PlanVersion, 'plan' | 'version'>
  readonly currency: string
  readonly period: Period
}

export type UpcomingInvoices = {
  /**
   * The invoice so far of the subscription's billing period at an instant. The whole period is priced under the plan version in
   * force then; a period in which the plan changed is not split, and one that a change to another interval closed ends there. Usage
   * that another subscription of the customer bills is not on it. Invoices asked for together are read together, from catalog and
   * usage store. Refuses `unknown_subscription`; throws `meter_backfilling`.
   */
  of(tenant: TenantKey, id: SubscriptionId, atMs: InstantMs): Promise<Outcome<UpcomingInvoice>>
}

export type UpcomingInvoicesDeps = {
  readonly invoiceInputs: InvoiceInputsReader
  readonly usageReader: Pick<UsageReader, 'period' | 'periods'>
  readonly clock: Clock
}

const SUBSCRIPTIONS_PER_READ_MAX = 200

export function createUpcomingInvoices({ invoiceInputs, usageReader, clock }: UpcomingInvoicesDeps): UpcomingInvoices {
  const inputsOf = createBatchedReads<{ readonly tenant: TenantKey; readonly id: SubscriptionId }, InvoiceInputs>({
    read: (asked) => readInputs(invoiceInputs, asked),
    itemsMax: SUBSCRIPTIONS_PER_READ_MAX,
    waitingMax: BILLING_BOUNDS.invoiceReads.most,
    clock,
  })
  return {
    async of(tenant, id, atMs) {
      const inputs = await inputsOf.read(tenant, { tenant, id }, tenant)
      const subscription = inputs.subscriptions.get(id) ?? refuse('unknown_subscription', { subscription: id })
      if (isRefusal(subscription)) return subscription
      const state = stateOfPeriod(inputs, subscription)
      if (isRefusal(state)) return state
      const { plan, cell, period } = periodAt(state, atMs)
      const part = { plan, cell, period, before: null, shown: period }
      const usageOf = await readPageUsage(usageReader, inputs, [{ state, questions: questionsOf(state, [part]) }])
      return { ...upcomingLines(state, part, usageOf(id)), planVersion: plan, currency: plan.currency, period }
    },
  }
}

/** All subscriptions of one tenant. */
async function readInputs(
  invoiceInputs: InvoiceInputsReader,
  asked: readonly { readonly tenant: TenantKey; readonly id: SubscriptionId }[],
): Promise<readonly InvoiceInputs[]> {
  const [first] = asked
  invariant(first !== undefined, 'a read is of something')
  const inputs = await invoiceInputs.read(first.tenant, [...new Set(asked.map(({ id }) => id))])
  return asked.map(() => inputs)
}
