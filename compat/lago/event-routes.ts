import type { FastifyRequest } from 'fastify'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { OwnEvent } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { pageJson, textOf } from './bodies.ts'
import { SUBSCRIPTION_DIMENSION } from './metric-routes.ts'
import { refuseAs, refuseValues } from './refuse-values.ts'

/** Events, which name a subscription. One is known by it and the transaction. */
export async function eventRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  app.post('/events', { config: ANY_KEY }, async (request) => {
    const sent = partOf(request, 'event')
    const wrong = wrongIn(sent)
    if (wrong !== null) return refuseValues(wrong)
    await own(request).ingest([ownEventOf(sent, clock.now())], { atomic: true })
    return { event: eventJson(sent, clock.now()) }
  })

  app.post('/events/batch', { config: ANY_KEY }, async (request) => {
    const events = partOf(request, 'events') as unknown as readonly Sent[]
    if (!Array.isArray(events) || events.length === 0) return refuseValues({ events: ['no_events'] })
    if (events.length > BATCH_MAX) return refuseValues({ events: ['too_many_events'] })
    const wrong = events.flatMap((event, index) => {
      const found = wrongIn(event)
      return found === null ? [] : [[String(index), found] as const]
    })
    if (wrong.length > 0) return refuseValues(Object.fromEntries(wrong))
    const nowMs = clock.now()
    await own(request).ingest(
      events.map((event) => ownEventOf(event, nowMs)),
      { atomic: true },
    )
    return { events: events.map((event) => eventJson(event, nowMs)) }
  })

  app.get('/events', { config: ANY_KEY }, async (request) => {
    const { query } = request
    const { data } = await own(request).events({
      ...{ source: textOf(query, 'external_subscription_id'), type: textOf(query, 'code'), limit: EVENTS_MAX, waitMs: SEEN_WITHIN_MS },
      ...{ from: textOf(query, 'timestamp_from'), to: textOf(query, 'timestamp_to') },
    })
    return pageJson(query, 'events', data.map(keptJson))
  })

  app.get<{ Params: { readonly id: string } }>('/events/:id', { config: ANY_KEY }, async (request) => {
    const { id } = request.params
    const { data } = await own(request).events({ id, limit: 1, waitMs: SEEN_WITHIN_MS })
    const [event] = data
    if (event === undefined) throw new RefusalError(refuse('unknown_event', { customer: '', event: id }))
    return { event: keptJson(event) }
  })
}

const BATCH_MAX = 100
/** The newest; their number is the count that a page says. */
const EVENTS_MAX = 1_000
const SEEN_WITHIN_MS = 1_500

type Sent = Readonly<Record<string, unknown>>

function partOf({ body }: FastifyRequest, name: string): Sent {
  const part = (body as Record<string, unknown> | undefined)?.[name]
  return typeof part === 'object' && part !== null ? (part as Sent) : refuseAs(400, 'missing_body_part', `the body has no '${name}'`)
}

function wrongIn(event: Sent): Record<string, readonly string[]> | null {
  const missing = ['transaction_id', 'code'].filter((name) => typeof event[name] !== 'string' || event[name] === '')
  if (missing.length > 0) return Object.fromEntries(missing.map((name) => [name, ['value_is_mandatory']]))
  const { timestamp, properties } = event
  if (timestamp != null && !/^\d{1,11}(\.\d{1,9})?$/.test(String(timestamp))) return { timestamp: ['invalid_format'] }
  return properties == null || typeof properties === 'object' ? null : { properties: ['invalid_format'] }
}

function msOf({ timestamp }: Sent, nowMs: number): number {
  return timestamp == null ? nowMs : Math.floor(Number(timestamp) * 1_000)
}

function ownEventOf(event: Sent, nowMs: number) {
  const subscription = String(event.external_subscription_id ?? '')
  return {
    ...{ id: event.transaction_id, type: event.code, source: subscription === '' ? 'lago' : subscription, subject: subscription },
    time: new Date(msOf(event, nowMs)).toISOString(),
    data: { ...(event.properties as object | null | undefined), [SUBSCRIPTION_DIMENSION]: subscription },
  }
}

const UNKNOWN = { lago_id: null, lago_customer_id: null, lago_subscription_id: null, precise_total_amount_cents: null, created_at: null }

function eventJson(event: Sent, nowMs: number) {
  const { transaction_id, code, properties = {}, external_subscription_id } = event
  return {
    ...UNKNOWN,
    transaction_id,
    code,
    timestamp: new Date(msOf(event, nowMs)).toISOString(),
    properties: properties ?? {},
    external_subscription_id,
  }
}

function keptJson({ id, type, source, time, receivedAt, data }: OwnEvent) {
  const { [SUBSCRIPTION_DIMENSION]: _subscription, ...properties } = data as Record<string, unknown>
  return {
    ...UNKNOWN,
    transaction_id: id,
    code: type,
    timestamp: time,
    properties,
    external_subscription_id: source,
    created_at: receivedAt,
  }
}
