import type { Bounds } from '../bound.ts'

/** Bounds on webhooks and the feed of events. */
export const WEBHOOK_BOUNDS = {
  endpoints: {
    what: 'webhook endpoints',
    most: 50,
    unit: 'endpoints',
    per: 'tenant',
    code: 'too_many_webhook_endpoints',
    test: 'test/contracts/database/webhook-endpoint-store.ts > a tenant has as many endpoints as it may',
  },
  sendingToEndpoint: {
    what: 'webhooks under way to one endpoint; the rest waits',
    most: 16,
    unit: 'requests',
    per: 'endpoint',
    code: null,
    test: 'alerts/webhooks/deliver-webhooks.test.ts > one that stalls holds up no other',
  },
  sending: {
    what: 'webhooks under way in all; the rest waits',
    most: 256,
    unit: 'requests',
    per: 'process',
    code: null,
    test: 'alerts/webhooks/deliver-webhooks.test.ts > one that stalls holds up no other',
  },
  alerts: {
    what: 'alerts',
    most: 200,
    unit: 'alerts',
    per: 'tenant',
    code: 'too_many_alerts',
    test: 'test/contracts/database/alert-store.ts > a tenant has as many alerts as it may',
  },
  answer: {
    what: 'bytes read and kept of the answer to a webhook; the connection is closed at the bound',
    most: 1_024,
    unit: 'bytes',
    per: 'answer',
    code: null,
    test: 'alerts/webhooks/send-webhook.test.ts > an answer without end is read to its bound',
  },
  tryTime: {
    what: 'time for one try of a webhook, from the look-up of its host to the end of its answer',
    most: 15_000,
    unit: 'ms',
    per: 'try',
    code: null,
    test: 'alerts/webhooks/send-webhook.test.ts > one that never answers is given up',
  },
  replay: {
    what: 'events of one replay, the oldest first; the answer says whether there are more',
    most: 10_000,
    unit: 'events',
    per: 'request',
    code: null,
    test: 'test/contracts/database/webhook-delivery-store.ts > a replay',
  },
} as const satisfies Bounds
