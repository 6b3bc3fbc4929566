import type { Static } from 'typebox'
import type { Delivery, WebhookDeliveryStore } from '../../adapters/database/webhooks/webhook-delivery-store.ts'
import type { WebhookEndpoint, WebhookEndpointStore } from '../../adapters/database/webhooks/webhook-endpoint-store.ts'
import type { Clock, InstantMs } from '../../base/clock.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { timeZone } from '../../domain/time/time-zone.ts'
import type { EventType } from '../../domain/webhooks/event-type.ts'
import { WEBHOOK_BOUNDS } from '../../domain/webhooks/webhook-bounds.ts'
import { KeyParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseBound } from '../../schemas/http/instants.ts'
import { CountedQuerySchema, recordTimesJson } from '../../schemas/http/record-times.ts'
import {
  DeliveryQuerySchema,
  NewWebhookEndpointSchema,
  ReplayInputSchema,
  ReplaySchema,
  WebhookDeliverySchema,
  WebhookEndpointInputSchema,
  WebhookEndpointSchema,
  WebhookTestSchema,
} from '../../schemas/http/webhooks.ts'
import { eventIdOf, eventJson } from './event-json.ts'
import type { SendWebhook } from './send-webhook.ts'
import { webhookHeaders } from './signature.ts'
import { readWebhookUrl } from './webhook-url.ts'

export type WebhookRoutesDeps = {
  readonly endpoints: WebhookEndpointStore
  readonly deliveries: Pick<WebhookDeliveryStore, 'list' | 'replay'>
  readonly mayReach: (address: string) => boolean
  readonly send: SendWebhook
  readonly clock: Pick<Clock, 'now'>
  readonly createId: () => string
  readonly createSecret: () => string
}

/** Where events are sent, and what came of it. */
export function webhookRoutes(deps: WebhookRoutesDeps): (app: HttpApp) => Promise<void> {
  const { endpoints, deliveries, mayReach, send, clock, createId, createSecret } = deps
  const config = { scope: 'admin' } as const
  const unknown = (endpoint: string) => refuse('unknown_webhook_endpoint', { endpoint })
  const found = async (tenant: TenantKey, key: string) => orThrow((await endpoints.get(tenant, key)) ?? unknown(key))

  return async (app) => {
    app.put('/v1/webhook-endpoints/:key', { config, schema: PUT_ENDPOINT }, async (request, reply) => {
      const { url, types = null } = request.body
      const secret = createSecret()
      const wanted = { key: request.params.key, url: orThrow(readWebhookUrl(url, mayReach)), types: types as readonly EventType[] | null }
      const { value, isNew } = orThrow(await endpoints.put(request.principal.tenant, wanted, secret))
      return isNew ? reply.code(201).send({ ...endpointJson(value), secret }) : reply.code(200).send(endpointJson(value))
    })
    app.get('/v1/webhook-endpoints/:key', { config: { scope: 'read' }, schema: GET_ENDPOINT }, async ({ principal, params }) =>
      endpointJson(await found(principal.tenant, params.key)),
    )
    app.get('/v1/webhook-endpoints', { config: { scope: 'read' }, schema: LIST_ENDPOINTS }, async ({ principal, query }) => {
      const { limit = LIMIT_DEFAULT, ...rest } = query
      const { data, ...page } = await endpoints.list(principal.tenant, { limit, ...rest })
      return { ...page, data: data.map(endpointJson) }
    })
    app.delete('/v1/webhook-endpoints/:key', { config, schema: DELETE_ENDPOINT }, async ({ principal, params }, reply) => {
      if (!(await endpoints.remove(principal.tenant, params.key))) orThrow(unknown(params.key))
      return reply.code(204).send(null)
    })
    app.post('/v1/webhook-endpoints/:key/rotate', { config, schema: ROTATE_ENDPOINT }, async ({ principal, params }) => {
      const secret = createSecret()
      const untilMs = (clock.now() + DAY_MS) as InstantMs
      const rotated = await endpoints.rotate(principal.tenant, params.key, secret, untilMs)
      return { ...endpointJson(orThrow(rotated ?? unknown(params.key))), secret }
    })
    app.post('/v1/webhook-endpoints/:key/test', { config, schema: TEST_ENDPOINT }, async ({ principal, params }) => {
      const { key, url } = await found(principal.tenant, params.key)
      const startedMs = clock.now()
      const event = { id: `test_${createId()}`, type: 'webhook.test', timestamp: instantJson(startedMs), object: key, version: 0, data: {} }
      const body = JSON.stringify(event)
      const secrets = await endpoints.secrets(principal.tenant, key)
      const { status, answer, error } = await send({ url, headers: webhookHeaders(secrets, event.id, startedMs, body), body })
      const delivered = status !== null && status >= 200 && status < 300
      return { delivered, status, answer, error, tookMs: clock.now() - startedMs }
    })
    app.post('/v1/webhook-endpoints/:key/replay', { config, schema: REPLAY }, async ({ principal, params, body }, reply) => {
      const { key } = await found(principal.tenant, params.key)
      const bound = (text: string | undefined, field: string) =>
        text === undefined ? null : orThrow(parseBound(text, field, timeZone('UTC')))
      const wanted = {
        ...{ fromMs: bound(body.from, 'from'), toMs: bound(body.to, 'to'), types: body.types ?? null },
        // An id that is none of ours names no event.
        ids: body.ids?.flatMap((id) => eventIdOf(id) ?? []) ?? null,
      }
      const queued = await deliveries.replay(principal.tenant, key, wanted, WEBHOOK_BOUNDS.replay.most)
      return reply.code(202).send({ queued, more: queued === WEBHOOK_BOUNDS.replay.most })
    })
    app.get('/v1/webhook-endpoints/:key/deliveries', { config, schema: LIST_DELIVERIES }, async ({ principal, params, query }) => {
      const { key } = await found(principal.tenant, params.key)
      const { limit = LIMIT_DEFAULT, state, ...rest } = query
      const { data, ...page } = await deliveries.list(principal.tenant, key, { state }, { limit, ...rest })
      return { ...page, data: data.map(deliveryJson) }
    })
  }
}

const LIMIT_DEFAULT = 100

function endpointJson(endpoint: WebhookEndpoint): Static<typeof WebhookEndpointSchema> {
  const { key, url, types, disabled, previousUntilMs, ...times } = endpoint
  return {
    ...{ key, url, types: types === null ? null : [...types], ...recordTimesJson(times) },
    disabled: disabled === null ? null : { reason: disabled.reason, at: instantJson(disabled.atMs) },
    twoSecretsUntil: previousUntilMs === null ? null : instantJson(previousUntilMs),
  }
}

function deliveryJson({ message, nextAtMs, triedAtMs, ...delivery }: Delivery): Static<typeof WebhookDeliverySchema> {
  return {
    ...delivery,
    event: eventJson(message),
    nextAt: nextAtMs === null ? null : instantJson(nextAtMs),
    triedAt: triedAtMs === null ? null : instantJson(triedAtMs),
  }
}

const TAGS = { tags: ['webhooks'], params: KeyParamsSchema }

const PUT_ENDPOINT = {
  ...TAGS,
  operationId: 'putWebhookEndpoint',
  summary: 'Create or change where events are sent; a new one answers its secret, this once, and one that was switched off is on again',
  body: WebhookEndpointInputSchema,
  response: { 200: WebhookEndpointSchema, 201: NewWebhookEndpointSchema, ...REFUSALS },
}
const GET_ENDPOINT = {
  ...TAGS,
  operationId: 'getWebhookEndpoint',
  summary: 'A webhook endpoint',
  response: { 200: WebhookEndpointSchema, ...REFUSALS },
}
const LIST_ENDPOINTS = {
  tags: TAGS.tags,
  operationId: 'listWebhookEndpoints',
  summary: 'Webhook endpoints in the order of their keys',
  querystring: CountedQuerySchema,
  response: { 200: PageSchema(WebhookEndpointSchema), ...REFUSALS },
}
const DELETE_ENDPOINT = {
  ...TAGS,
  operationId: 'deleteWebhookEndpoint',
  summary: 'Remove a webhook endpoint with its deliveries',
  response: { 204: { type: 'null', description: 'It is gone' }, ...REFUSALS },
}
const ROTATE_ENDPOINT = {
  ...TAGS,
  operationId: 'rotateWebhookSecret',
  summary: 'A new secret; the one before signs too for 24 hours',
  response: { 200: NewWebhookEndpointSchema, ...REFUSALS },
}
const TEST_ENDPOINT = {
  ...TAGS,
  operationId: 'testWebhookEndpoint',
  summary: 'Send a `webhook.test` now, once, and answer what came of it',
  response: { 200: WebhookTestSchema, ...REFUSALS },
}
const REPLAY = {
  ...TAGS,
  operationId: 'replayWebhooks',
  summary: 'Send events again, or those that were missed, under their own ids; up to 10,000, the oldest first',
  body: ReplayInputSchema,
  response: { 202: ReplaySchema, ...REFUSALS },
}
const LIST_DELIVERIES = {
  ...TAGS,
  operationId: 'listWebhookDeliveries',
  summary: 'What was sent to an endpoint and how it answered, newest event first',
  querystring: DeliveryQuerySchema,
  response: { 200: PageSchema(WebhookDeliverySchema), ...REFUSALS },
}
