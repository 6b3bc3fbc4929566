import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about what a customer has of a feature: entitlements, overrides, grants, resets. */
export const ALLOWANCE_REFUSALS = {
  no_entitlement: {
    status: 409,
    means: 'The customer has no entitlement to the feature.',
    next: 'Give it a subscription whose plan has the feature, or an override.',
    detail: ({ customer, feature, wanted }: { customer: string; feature: string; wanted: 'hold' | 'set' | 'reset' }) =>
      `${customer} has no entitlement to ${feature}, so ${NOT_ENTITLED[wanted]}.`,
  },
  feature_not_metered: {
    status: 409,
    means: 'The feature is not metered, so it has no units.',
    next: 'Use a metered feature.',
    detail: ({ feature, wanted }: { feature: string; wanted: 'hold' | 'report' | 'reset' | 'grant' | 'alert' }) =>
      `${feature} is not a metered feature, so ${NOT_METERED[wanted]}.`,
  },
  feature_not_additive: {
    status: 409,
    means: 'The meter of the feature does not add up: only sum and count do.',
    next: 'Use a feature metered by sum or count.',
    detail: ({ feature, aggregation, wanted }: { feature: string; aggregation: string; wanted: 'hold' | 'report' | 'grant' }) =>
      `${feature} is metered by ${aggregation}, ${NOT_ADDITIVE[wanted]}.`,
  },
  unknown_entitlement: {
    status: 404,
    means: 'The customer has no override of this feature.',
    next: 'Make one with `PUT /v1/customers/{key}/entitlements/{feature}`.',
    detail: ({ customer, feature }: { customer: string; feature: string }) =>
      `${customer} has no override of ${feature}; PUT /v1/customers/${encodeURIComponent(customer)}/entitlements/${encodeURIComponent(feature)} makes one.`,
  },
  unknown_grant: {
    status: 404,
    means: 'No grant has this id.',
    next: "List a customer's with `GET /v1/customers/{key}/grants`.",
    detail: ({ grant }: { grant: string }) => `There is no grant ${grant}; GET /v1/customers/{key}/grants lists a customer's.`,
  },
  too_many_grants: {
    status: 409,
    means: 'The customer has as many grants of the feature as one may, ended ones included.',
    next: 'Put an override with a higher limit.',
    detail: ({ customer, feature, grants, grantsMax }: { customer: string; feature: string; grants: number; grantsMax: number }) =>
      `customer ${customer} has ${grants} grants of ${feature}, and ${grantsMax} is the limit; put an override with a higher limit.`,
  },
  too_many_resets: {
    status: 409,
    means: 'The balance was reset by hand as often as one may be.',
    next: 'Give the feature a shorter reset interval.',
    detail: ({ customer, feature, resets, resetsMax }: { customer: string; feature: string; resets: number; resetsMax: number }) =>
      `${feature} of customer ${customer} was reset ${resets} times, and ${resetsMax} is the limit; give it a shorter reset interval.`,
  },
  effective_in_past: wrongField('A grant would begin in the past.', 'Let it begin now or later.'),
  expires_too_early: wrongField('A grant would end before it begins.'),
} satisfies RefusalRows

const NOT_ENTITLED = {
  hold: 'nothing can be held; give it a subscription whose plan has the feature',
  set: 'there is no period whose usage could be set; report a delta, or give it a subscription whose plan has the feature',
  reset: 'there is nothing to reset',
} as const
const NOT_METERED = {
  hold: 'there are no units to hold; ask POST /v1/decisions whether the customer has it',
  report: 'there is no usage of it to report',
  reset: 'there is no usage to reset',
  grant: 'it has no units to grant',
  alert: 'nothing of it is counted that could reach a threshold',
} as const
const NOT_ADDITIVE = {
  hold: 'of which no part can be held; only sum and count can be reserved',
  report:
    'to which a reported quantity cannot be added; report usage of features metered by sum or count, or send an event with POST /v1/events',
  grant: 'and only what adds up (sum, count) can burn a grant; give the customer an override',
} as const

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof ALLOWANCE_REFUSALS> {}
}
