import { type FieldsOf, type RefusalRows, wrongField } from './refusal-row.ts'

/** Refusals about webhook endpoints. */
export const WEBHOOK_REFUSALS = {
  invalid_webhook_url: wrongField('The URL of a webhook endpoint cannot be sent to.'),
  unknown_webhook_endpoint: {
    status: 404,
    means: 'No webhook endpoint has this key.',
    next: 'Create it with `PUT /v1/webhook-endpoints/{key}`.',
    detail: ({ endpoint }: { endpoint: string }) =>
      `There is no webhook endpoint ${endpoint}; PUT /v1/webhook-endpoints/${endpoint} creates it.`,
  },
  too_many_webhook_endpoints: {
    status: 409,
    means: 'The tenant has as many webhook endpoints as it may.',
    next: 'Remove one, or read the feed of `GET /v1/webhook-events`, which any number may.',
    detail: ({ endpointsMax }: { endpointsMax: number }) =>
      `There are ${endpointsMax} webhook endpoints, and no more are possible; DELETE /v1/webhook-endpoints/{key} removes one.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof WEBHOOK_REFUSALS> {}
}
