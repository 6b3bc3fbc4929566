import type { FastifyRequest } from 'fastify'
import { parseAmount } from '../../domain/money.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import type { OwnPlan, OwnSubscription, Tollgate } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { cancellations } from './subscriptions.ts'

type Wanted = { readonly customer: string; readonly plan: string; readonly schedule?: 'immediate' | 'end_of_cycle' | undefined }

/**
 * A plan of a product that the customer has a plan of replaces it: a bigger one (by its base fee) now, a smaller one at the end of the
 * period. The plan in force takes a change that waits, or the end, back.
 */
export async function attach(kit: VendorKit, request: FastifyRequest, { customer, plan: key, schedule }: Wanted): Promise<void> {
  const tollgate = kit.own(request)
  const plan = await tollgate.plan(key)
  const running = await subscriptionTo(tollgate, customer, plan.product)
  if (running === null) {
    await tollgate.subscribe({ customer, plan: key })
    return
  }
  const { subscription, plan: present } = running
  if (subscription.endAt !== null) {
    await tollgate.uncancelSubscription(subscription.id)
    await cancellations(kit).delete(request.principal.tenant, subscription.id)
  }
  const isLater = schedule === undefined ? feeOf(plan) < feeOf(present) : schedule === 'end_of_cycle'
  await tollgate.changeSubscription(subscription.id, { plan: key, at: isLater && plan.key !== present.key ? 'periodEnd' : 'now' })
}

/** What attaching the plan would be. */
export function attachAction(plan: OwnPlan, running: readonly OwnPlan[]): 'activate' | 'upgrade' | 'downgrade' | 'purchase' | 'none' {
  const present = running.find(({ product }) => product === plan.product)
  if (present === undefined) return plan.interval === 'once' ? 'purchase' : 'activate'
  if (present.key === plan.key) return 'none'
  return feeOf(plan) < feeOf(present) ? 'downgrade' : 'upgrade'
}

export async function subscriptionTo(
  tollgate: Tollgate,
  customer: string,
  product: string,
): Promise<{ readonly subscription: OwnSubscription; readonly plan: OwnPlan } | null> {
  const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
  for (const subscription of data.filter(({ status }) => status !== 'ended')) {
    const plan = await tollgate.plan(subscription.plan, subscription.planVersion)
    if (plan.product === product) return { subscription, plan }
  }
  return null
}

function feeOf({ baseFee }: OwnPlan): bigint {
  return parseAmount(baseFee ?? '0') ?? 0n
}
