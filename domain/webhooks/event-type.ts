/** What others are told of, by kind. Each is a row of the outbox in the transaction that made it true. */
export const EVENT_TYPES = [
  ...(['subscription.created', 'subscription.changed', 'subscription.canceled', 'subscription.ended'] as const),
  ...(['invoice.drafted', 'invoice.finalised', 'invoice.paid', 'invoice.overdue', 'invoice.voided', 'invoice.uncollectible'] as const),
  ...(['payment.recorded', 'credit_note.issued'] as const),
  ...(['credit.granted', 'credit.depleted', 'credit.expired', 'credit.voided'] as const),
  ...(['checkout.completed', 'checkout.expired', 'order.paid', 'order.refunded', 'order.disputed'] as const),
  ...(['license.issued', 'license.suspended', 'license.resumed', 'license.revoked'] as const),
  ...(['payment.failed', 'payment.action_required', 'payment.returned', 'payment.set_aside'] as const),
  ...(['usage.threshold_reached', 'usage.threshold_resolved'] as const),
  ...(['coupon.ended', 'billing_run.finished', 'webhook.disabled'] as const),
] as const

export type EventType = (typeof EVENT_TYPES)[number]
