import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about alerts. */
export const ALERT_REFUSALS = {
  invalid_threshold: wrongField('The threshold of an alert is no quantity and no percentage above 0.'),
  unknown_alert: {
    status: 404,
    means: 'No alert has this key.',
    next: 'Create it with `PUT /v1/alerts/{key}`.',
    detail: ({ alert }: { alert: string }) => `There is no alert ${alert}; PUT /v1/alerts/${alert} creates it.`,
  },
  too_many_alerts: {
    status: 409,
    means: 'The tenant has as many alerts as it may.',
    next: 'Remove one: an alert without `customers` is for everybody.',
    detail: ({ alertsMax }: { alertsMax: number }) =>
      `There are ${alertsMax} alerts, and no more are possible; DELETE /v1/alerts/{key} removes one.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof ALERT_REFUSALS> {}
}
