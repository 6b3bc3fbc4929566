import type { FastifyRequest } from 'fastify'
import { parseQuantity } from '../../domain/decimal.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { RefusalError } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantMsOf } from '../instant-ms.ts'
import { unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type Form, formIn, neededText, textIn } from './forms.ts'
import { meterKey, meterRecords } from './meter-routes.ts'

/** Meter events: by form, by JSON, and many at once under the token of a session. */
export async function meterEventRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock, createId } = kit
  const meters = meterRecords(kit)

  /** Refuses what could not count. */
  const eventOf = async (tenant: TenantKey, form: Form, usualId: string) => {
    const eventName = neededText(form, 'event_name')
    const meter = await meters.get(tenant, meterKey(eventName))
    if (meter === null || meter.data.deactivated_at !== null)
      return refuseInput('event_name', `No active meter found for event name '${eventName.slice(0, 80)}'`)
    const payload = formIn(form, 'payload')
    const customer = textIn(payload, meter.data.customerKey)
    if (customer === undefined) return refuseInput('payload', `payload[${meter.data.customerKey}] is missing`, 'missing')
    const value = textIn(payload, meter.data.valueKey)
    if (value !== undefined && parseQuantity(value) === null)
      return refuseInput('payload', `payload[${meter.data.valueKey}] must be a number, was '${value.slice(0, 40)}'`)
    const id = textIn(form, 'identifier') ?? usualId
    const atMs = instantMs(form.timestamp, clock.now())
    const event = { id, source: SOURCE, type: eventName, customer, time: new Date(atMs).toISOString(), data: payload }
    return { event, answer: { event_name: eventName, identifier: id, livemode: false, payload }, atMs }
  }

  app.post('/v1/billing/meter_events', { config: ANY_KEY }, async (request) => {
    const { event, answer, atMs } = await eventOf(request.principal.tenant, bodyOf(request), idOf(request, createId))
    await own(request).ingest([event], { atomic: true })
    return { object: 'billing.meter_event', created: Math.floor(clock.now() / 1_000), ...answer, timestamp: Math.floor(atMs / 1_000) }
  })

  app.post('/v2/billing/meter_events', { config: ANY_KEY }, async (request) => {
    const { event, answer, atMs } = await eventOf(request.principal.tenant, bodyOf(request), idOf(request, createId))
    await own(request).ingest([event], { atomic: true })
    return {
      object: 'v2.billing.meter_event',
      created: new Date(clock.now()).toISOString(),
      ...answer,
      timestamp: new Date(atMs).toISOString(),
    }
  })

  app.post('/v2/billing/meter_event_session', { config: ANY_KEY }, async (request) => {
    const id = `mes_${createId()}`
    const expiresAt = new Date(clock.now() + SESSION_MS).toISOString()
    const { key, createdAt } = await own(request).createKey({ name: `Stripe session ${id}`, scopes: ['ingest'], expiresAt })
    return {
      id,
      object: 'v2.billing.meter_event_session',
      authentication_token: key,
      created: createdAt,
      expires_at: expiresAt,
      livemode: false,
    }
  })

  app.post('/v2/billing/meter_event_stream', { config: ANY_KEY }, async (request) => {
    const { events } = bodyOf(request)
    if (!Array.isArray(events) || events.length === 0 || events.length > STREAM_EVENTS_MAX) {
      return refuseInput('events', `events must be a list of 1 to ${STREAM_EVENTS_MAX} events`)
    }
    const { tenant } = request.principal
    const sent = []
    for (const form of events as readonly Form[]) {
      // A wrong event takes none of the others with it, and is not told: Stripe judges a stream later.
      const judged = await eventOf(tenant, form, createId()).catch(toNull)
      if (judged !== null) sent.push(judged.event)
    }
    if (sent.length > 0) await unlessRefused(own(request).ingest(sent), 'invalid_events')
    return {}
  })
}

const SOURCE = 'stripe'
const SESSION_MS = 15 * 60_000
const STREAM_EVENTS_MAX = 100

function bodyOf({ body }: FastifyRequest): Form {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Form) : {}
}

/** The client sends a key always, and the same one when it tries again. */
function idOf({ headers }: FastifyRequest, createId: () => string): string {
  const key = headers['idempotency-key']
  return typeof key === 'string' && key !== '' ? key.slice(0, ID_CHARACTERS_MAX) : createId()
}

const ID_CHARACTERS_MAX = 256

/**
 * Unix seconds, as number or text, or an ISO instant. A whole second is taken at its end, up to now: a limit that begins within it
 * holds for the event, which the sender may have cut to the second.
 */
function instantMs(sent: unknown, nowMs: number): number {
  if (sent === undefined || sent === '') return nowMs
  const text = String(sent)
  const givenMs = /^\d{1,12}(\.\d+)?$/.test(text) ? Math.floor(Number(text) * 1_000) : instantMsOf(text)
  const atMs = givenMs % 1_000 === 0 && givenMs <= nowMs ? Math.min(givenMs + 999, nowMs) : givenMs
  return Number.isNaN(atMs) || Math.abs(atMs) > 8.64e15
    ? refuseInput('timestamp', `timestamp must be Unix seconds or an ISO instant, was '${text.slice(0, 40)}'`)
    : atMs
}

function toNull(error: unknown): null {
  if (error instanceof RefusalError) return null
  throw error
}
