import type { FieldsOf, RefusalRows } from './refusal-row.ts'

export const SUBSCRIPTION_REFUSALS = {
  unknown_subscription: {
    status: 404,
    means: 'No subscription has this id.',
    next: "List a customer's with `GET /v1/subscriptions?customer=`.",
    detail: ({ subscription }: { subscription: string }) =>
      `There is no subscription ${subscription}; GET /v1/subscriptions?customer= lists a customer's.`,
  },
  no_period_end: {
    status: 409,
    means: 'The plan has one period without an end, so nothing can happen at its end.',
    next: 'Do it `now`.',
    detail: ({ subscription }: { subscription: string }) =>
      `The plan of subscription ${subscription} has one period without an end; do it at now.`,
  },
  subscription_ended: {
    status: 409,
    means: 'The subscription ends before the change would begin.',
    next: 'Make a new subscription.',
    detail: ({ subscription, endMs }: { subscription: string; endMs: number }) =>
      `subscription ${subscription} ends at ${new Date(endMs).toISOString()}, before the change would begin; make a new subscription.`,
  },
  subscription_over: {
    status: 409,
    means: 'The subscription is over, and what has ended does not run on.',
    next: 'Make a new subscription.',
    detail: ({ subscription, endMs }: { subscription: string; endMs: number }) =>
      `subscription ${subscription} ended at ${new Date(endMs).toISOString()}; make a new one.`,
  },
  subscription_id_taken: {
    status: 409,
    means: 'A subscription with this id was made with another customer, plan, start, anchor or timezone.',
    next: 'Use another id, or change the subscription that there is.',
    detail: ({ subscription, customer, plan }: { subscription: string; customer: string; plan: string }) =>
      `There is a subscription ${subscription} of customer ${customer}, made on plan ${plan}, and the body says otherwise; use another id, or POST /v1/subscriptions/${encodeURIComponent(subscription)}/change.`,
  },
  already_subscribed: {
    status: 409,
    means: 'The customer has a subscription to the same product at that time, and would be billed twice for the same usage.',
    next: 'Change that subscription, cancel it first, or say `allowSeveral: true`.',
    detail: ({ customer, subscription, product }: { customer: string; subscription: string; product: string }) =>
      `customer ${customer} has subscription ${subscription} to product ${product} at that time; change or cancel it, or make the new one with allowSeveral: true.`,
  },
  end_in_past: {
    status: 400,
    means: 'A subscription would end at an instant that is over, for which it may have been billed.',
    next: 'End it `now`, or at an instant to come.',
    detail: ({ subscription, atMs, nowMs }: { subscription: string; atMs: number; nowMs: number }) =>
      `subscription ${subscription} cannot end at ${new Date(atMs).toISOString()}, as it is ${new Date(nowMs).toISOString()} by now; end it now or later.`,
  },
  change_in_past: {
    status: 400,
    means: 'A subscription would change its plan at an instant that is over, for which it may have been billed.',
    next: 'Change it `now`, or at an instant to come.',
    detail: ({ subscription, atMs, nowMs }: { subscription: string; atMs: number; nowMs: number }) =>
      `subscription ${subscription} cannot change its plan at ${new Date(atMs).toISOString()}, as it is ${new Date(nowMs).toISOString()} by now; change it now or later.`,
  },
  too_many_changes: {
    status: 409,
    means: 'The subscription has changed its plan as often as one may.',
    next: 'Make a new subscription.',
    detail: ({ subscription, changesMax }: { subscription: string; changesMax: number }) =>
      `subscription ${subscription} has changed its plan ${changesMax} times, which is the limit; make a new one.`,
  },
  too_many_subscriptions: {
    status: 409,
    means: 'The customer has as many subscriptions that are not over as one may.',
    next: 'Cancel one first.',
    detail: ({ customer, open, openMax }: { customer: string; open: number; openMax: number }) =>
      `customer ${customer} has ${open} subscriptions that are not over, and ${openMax} is the limit; cancel one first.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof SUBSCRIPTION_REFUSALS> {}
}
