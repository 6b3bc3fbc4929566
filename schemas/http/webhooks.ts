import { Type } from 'typebox'
import { EVENT_TYPES } from '../../domain/webhooks/event-type.ts'
import { CLOSED, InstantSchema, KeySchema, ListQuerySchema, VIEW_WAIT_MS_MAX } from './common.ts'
import { BoundSchema } from './instants.ts'
import { RECORD_TIMES } from './record-times.ts'

const EventTypeSchema = Type.Enum([...EVENT_TYPES], { examples: ['invoice.finalised'] })
const EventIdSchema = Type.String({ maxLength: 64, examples: ['evt_4711'] })
const NullableInstant = Type.Union([InstantSchema, Type.Null()])

export const WebhookEndpointInputSchema = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2_000, examples: ['https://example.com/hooks/tollgate'] }),
    types: Type.Optional(Type.Array(EventTypeSchema, { minItems: 1, maxItems: 100, description: 'Every type when absent' })),
  },
  CLOSED,
)

const ENDPOINT = {
  key: KeySchema,
  url: Type.String(),
  types: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: every type' }),
  disabled: Type.Union([Type.Object({ reason: Type.Enum(['gone', 'failing']), at: InstantSchema }), Type.Null()], {
    description:
      'Since when nothing is sent any more: `gone` after an answer 410, `failing` when a message was given up and none was taken for a day. A put switches it on again',
  }),
  twoSecretsUntil: { ...NullableInstant, description: 'The secret before signs too until then' },
  ...RECORD_TIMES,
}
export const WebhookEndpointSchema = Type.Object(ENDPOINT)
export const NewWebhookEndpointSchema = Type.Object({
  ...ENDPOINT,
  secret: Type.String({
    description: 'Shown this once: a receiver verifies signatures with it',
    examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  }),
})

export const WebhookEventSchema = Type.Object({
  id: Type.String({ description: 'The `webhook-id`, the same on every try', examples: ['evt_4711'] }),
  type: Type.String({ examples: ['invoice.finalised'] }),
  timestamp: InstantSchema,
  object: Type.String({ description: 'Id of what it is about; events of one object arrive in their order' }),
  version: Type.Integer({ description: 'A higher one of the same object is newer' }),
  data: Type.Unknown({ description: 'The object as it was then', examples: [{ invoice: 'inv_0mhf3k2aw1f00d' }] }),
  previous: Type.Optional(Type.Unknown({ description: 'The object before the change' })),
})

export const WebhookEventQuerySchema = Type.Object({
  limit: ListQuerySchema.properties.limit,
  cursor: ListQuerySchema.properties.cursor,
  types: Type.Optional(Type.String({ maxLength: 2_000, description: 'These types alone, separated by commas' })),
  start: Type.Optional(
    Type.Enum(['beginning', 'end'], { description: 'Without a cursor: with the oldest that is kept (default), or behind the newest' }),
  ),
  waitMs: Type.Optional(
    Type.Integer({ minimum: 0, maximum: VIEW_WAIT_MS_MAX, default: 0, description: 'Waits as long for an event when there is none' }),
  ),
})
export const WebhookEventFeedSchema = Type.Object({
  data: Type.Array(WebhookEventSchema),
  nextCursor: Type.String({ description: 'Always there: ask with it again for what comes next' }),
})

export const DeliveryQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  state: Type.Optional(Type.Enum(['pending', 'delivered', 'failed'])),
})
export const WebhookDeliverySchema = Type.Object({
  event: WebhookEventSchema,
  state: Type.Enum(['pending', 'delivered', 'failed'], { description: '`failed`: given up' }),
  tries: Type.Integer(),
  nextAt: { ...NullableInstant, description: 'Of the next try; null when none is to come' },
  triedAt: { ...NullableInstant, description: 'Of the last try' },
  tookMs: Type.Union([Type.Integer(), Type.Null()]),
  status: Type.Union([Type.Integer(), Type.Null()], { description: 'Null without an answer' }),
  answer: Type.Union([Type.String(), Type.Null()], { description: 'The first KiB of the answer’s body' }),
  error: Type.Union([Type.String(), Type.Null()], { description: 'Why there was no answer' }),
})

export const ReplayInputSchema = Type.Object(
  {
    from: Type.Optional(BoundSchema('Events from then on')),
    to: Type.Optional(BoundSchema('Events before')),
    types: Type.Optional(Type.Array(EventTypeSchema, { minItems: 1, maxItems: 100 })),
    ids: Type.Optional(Type.Array(EventIdSchema, { minItems: 1, maxItems: 1_000 })),
  },
  CLOSED,
)
export const ReplaySchema = Type.Object({
  queued: Type.Integer(),
  more: Type.Boolean({ description: 'There may be more: replay again from the last one on' }),
})

export const WebhookTestSchema = Type.Object({
  delivered: Type.Boolean(),
  status: Type.Union([Type.Integer(), Type.Null()]),
  answer: Type.Union([Type.String(), Type.Null()]),
  error: Type.Union([Type.String(), Type.Null()]),
  tookMs: Type.Integer(),
})
