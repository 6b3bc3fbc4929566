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
