import type { FastifyRequest } from 'fastify'
import { derivedUuid } from '../derived-uuid.ts'
import { instantMsOf } from '../instant-ms.ts'
import type { OwnSubscription } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { lastSecondOf } from './bodies.ts'
import { planRecords } from './plans.ts'

export type SubscriptionData = { readonly billing_time: 'calendar' | 'anniversary'; readonly name: string | null }

export function subscriptionRecords({ records }: VendorKit) {
  return vendorRecords<SubscriptionData>(records, 'lago', 'subscription')
}

const STATUSES = { scheduled: 'pending', active: 'active', canceled: 'active', ended: 'terminated' } as const

export async function subscriptionJson(
  kit: VendorKit,
  request: FastifyRequest,
  subscription: OwnSubscription,
  data: SubscriptionData | undefined,
) {
  const { tenant } = request.principal
  const { id, customer, plan, status, startAt, endAt, currentPeriod, phases } = subscription
  const record = await planRecords(kit).get(tenant, plan)
  const next = phases.find((phase) => instantMsOf(phase.startAt) > kit.clock.now())
  return {
    ...{
      lago_id: derivedUuid(tenant, 'lago subscription', id),
      external_id: id,
      lago_customer_id: derivedUuid(tenant, 'lago customer', customer),
    },
    ...{ external_customer_id: customer, name: data?.name ?? null, plan_code: plan, plan_amount_cents: record?.data.amount_cents ?? 0 },
    ...{
      plan_amount_currency: record?.data.amount_currency ?? 'USD',
      status: STATUSES[status],
      billing_time: data?.billing_time ?? 'anniversary',
    },
    ...{
      subscription_at: startAt,
      started_at: startAt,
      ending_at: endAt,
      terminated_at: status === 'ended' ? endAt : null,
      canceled_at: null,
    },
    ...{
      created_at: startAt,
      previous_plan_code: null,
      next_plan_code: next?.plan ?? null,
      downgrade_plan_date: next?.startAt.slice(0, 10) ?? null,
    },
    ...{ trial_ended_at: null, current_billing_period_started_at: currentPeriod.start },
    current_billing_period_ending_at: currentPeriod.end === null ? null : lastSecondOf(currentPeriod.end),
    ...{ on_termination_credit_note: null, on_termination_invoice: 'generate', entitlements: [] },
  }
}
