import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import type { OutboxMessage } from '../outbox/outbox-store.ts'

/** What is told of a change of a subscription: `before` is null for one that is new. */
export function subscriptionMessage(before: Subscription | null, after: Subscription, nowMs: InstantMs): OutboxMessage {
  const isCanceled = before !== null && after.endMs !== null && after.endMs !== before.endMs
  return {
    type: before === null ? 'subscription.created' : isCanceled ? 'subscription.canceled' : 'subscription.changed',
    ...{ object: after.id, data: subscriptionData(after), createdAtMs: nowMs },
    ...(before !== null && { previous: subscriptionData(before) }),
  }
}

export function subscriptionData({ id, customer, startMs, anchorMs, endMs, phases, timezone, coupons }: Subscription): object {
  const iso = (ms: InstantMs | null) => (ms === null ? null : new Date(ms).toISOString())
  return {
    ...{ id, customer, startAt: iso(startMs), anchor: iso(anchorMs), endAt: iso(endMs), timezone, coupons },
    phases: phases.map((phase) => ({
      ...{ plan: phase.plan, planVersion: phase.planVersion, startAt: iso(phase.startMs), endAt: iso(phase.endMs) },
    })),
  }
}
