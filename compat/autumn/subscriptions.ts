import type { FastifyRequest } from 'fastify'
import { instantMsOf } from '../instant-ms.ts'
import type { OwnSubscription } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { msOf } from './bodies.ts'

/** When a subscription was canceled, which Tollgate does not say: it knows when it ends. */
export function cancellations({ records }: VendorKit) {
  return vendorRecords<{ readonly atMs: number }>(records, 'autumn', 'cancellation')
}

/** A row for each that is not over, and one for each change of plan that waits. */
export async function subscriptionRows(kit: VendorKit, request: FastifyRequest, subscriptions: readonly OwnSubscription[]) {
  const living = subscriptions.filter(({ status }) => status !== 'ended')
  const canceled = await cancellations(kit).getAll(
    request.principal.tenant,
    living.map(({ id }) => id),
  )
  const nowMs = kit.clock.now()
  return living.flatMap((subscription) => {
    const { id, plan, status, startAt, endAt, currentPeriod, phases } = subscription
    const end =
      endAt === null
        ? { canceled_at: null, expires_at: null }
        : { canceled_at: canceled.get(id)?.data.atMs ?? instantMsOf(startAt), expires_at: msOf(endAt) }
    const period = { current_period_start: msOf(currentPeriod.start), current_period_end: msOf(currentPeriod.end) }
    const row = {
      ...COMMON,
      id,
      plan_id: plan,
      status: status === 'scheduled' ? 'scheduled' : 'active',
      started_at: msOf(startAt),
      ...end,
      ...period,
    }
    const waiting = phases.filter((phase) => instantMsOf(phase.startAt) > nowMs && status !== 'scheduled')
    const nothing = { canceled_at: null, expires_at: null, current_period_start: null, current_period_end: null }
    return [
      row,
      ...waiting.map((phase) => ({
        ...{ ...COMMON, id: `${id}:${phase.startAt}`, plan_id: phase.plan, status: 'scheduled', started_at: msOf(phase.startAt) },
        ...nothing,
      })),
    ]
  })
}

const COMMON = { auto_enable: false, add_on: false, past_due: false, trial_ends_at: null, quantity: 1 }
