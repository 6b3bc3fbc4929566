import type { OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import type { Clock } from '../../base/clock.ts'
import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { WebhookEventFeedSchema, WebhookEventQuerySchema } from '../../schemas/http/webhooks.ts'
import { eventJson } from './event-json.ts'

export type FeedRoutesDeps = { readonly outbox: Pick<OutboxStore, 'feed' | 'end'>; readonly clock: Pick<Clock, 'now' | 'sleep'> }

/** The same events for those who cannot be called: a reader keeps its cursor, and asks with it again. */
export function feedRoutes({ outbox, clock }: FeedRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/webhook-events', { config: { scope: 'read' }, schema: READ_FEED }, async ({ principal, query }) => {
      const { tenant } = principal
      const { limit = LIMIT_DEFAULT, cursor, types: given, start = 'beginning', waitMs = 0 } = query
      const types = given?.split(',').map((each) => each.trim())
      const begin = start === 'end' ? await outbox.end(tenant) : '0'
      const after = cursor === undefined ? begin : orThrow(openCursor(FEED, cursor) ?? refuse('invalid_cursor', {}))
      const untilMs = clock.now() + waitMs
      let events = await outbox.feed(tenant, after, limit, types)
      while (events.length === 0 && clock.now() < untilMs) {
        await clock.sleep(Math.min(LOOK_EVERY_MS, untilMs - clock.now()))
        events = await outbox.feed(tenant, after, limit, types)
      }
      return { data: events.map(eventJson), nextCursor: sealCursor(FEED, events.at(-1)?.position ?? after) }
    })
  }
}

const FEED = 'webhook events'
const LIMIT_DEFAULT = 100
const LOOK_EVERY_MS = 250

const READ_FEED = {
  tags: ['webhooks'],
  operationId: 'listWebhookEvents',
  summary: 'Events of the last 30 days, oldest first, to be read on from a cursor for ever',
  querystring: WebhookEventQuerySchema,
  response: { 200: WebhookEventFeedSchema, ...REFUSALS },
}
