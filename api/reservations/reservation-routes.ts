import { Counter, type Registry } from 'prom-client'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, InstantMs } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuseFields } from '../../domain/refusal.ts'
import type { Hold } from '../../domain/reservations/hold.ts'
import {
  parseReservedQuantity,
  parseSettleData,
  parseSettledQuantity,
  parseTtlMs,
  RESERVATION_TTL_MS_DEFAULT,
} from '../../domain/reservations/reservation.ts'
import { parseSettledEvents, SETTLED_EVENTS_MAX } from '../../domain/reservations/settled-events.ts'
import type { MeteredSpent } from '../../entitlements/metered-spent.ts'
import type { Reservations } from '../../entitlements/reservations.ts'
import type { SettledUsage } from '../../entitlements/settle-reservation.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import {
  ExtendInputSchema,
  ReservationInputSchema,
  type ReservationJson,
  ReservationParamsSchema,
  ReservationSchema,
  ReservedSchema,
  SettledSchema,
  type SettleInput,
  SettleInputSchema,
} from '../../schemas/http/reservation.ts'
import { meteredBalance } from '../balances/balance-json.ts'

export type ReservationRoutesDeps = { readonly reservations: Reservations; readonly registry: Registry }

/** An app holds and settles with the scope that it decides with; a key that manages customers may end a hold that an app left behind. */
const HOLDS = ['decide', 'manage'] as const

/** Hold units before the work, settle the real usage after it. A hold is durable before it is answered. */
export function reservationRoutes({ reservations, registry }: ReservationRoutesDeps): (app: HttpApp) => Promise<void> {
  const answers = new Counter({
    name: 'tollgate_reservations_total',
    help: 'Reservations asked for, by how they were answered: held, repeated, or the code of the refusal',
    labelNames: ['result'],
    registers: [registry],
  })
  return async (app) => {
    app.post('/v1/reservations', { config: { scope: HOLDS, isIdempotent: true }, schema: RESERVE }, async (request, reply) => {
      const { customer, feature, quantity, ttlMs = RESERVATION_TTL_MS_DEFAULT, id = null, settle = false, data } = request.body
      const reserved = await reservations.reserve(request.principal.tenant, id, {
        customer: customer as CustomerKey,
        feature: feature as FeatureKey,
        quantity: orThrow(parseReservedQuantity(quantity)),
        ttlMs: orThrow(parseTtlMs(ttlMs)),
        settles: settle ? { properties: propertiesOf(data) } : orThrow(withoutData(data)),
      })
      answers.inc({ result: isRefusal(reserved) ? reserved.code : reserved.isNew ? 'held' : 'repeated' })
      const { hold, isNew, metered } = orThrow(reserved)
      return reply.code(isNew ? 201 : 200).send({ ...reservationJson(hold), ...balanceJson(metered) })
    })
    app.get('/v1/reservations/:id', { config: { scope: HOLDS }, schema: GET_RESERVATION }, async (request) =>
      reservationJson(orThrow(await reservations.find(request.principal.tenant, request.params.id))),
    )
    app.post('/v1/reservations/:id/settle', { config: { scope: HOLDS }, schema: SETTLE }, async (request) => {
      const usage = orThrow(settledUsage(request.body))
      const { hold, metered } = orThrow(await reservations.settle(request.principal.tenant, request.params.id, usage))
      return { ...reservationJson(hold), ...balanceJson(metered) }
    })
    app.post('/v1/reservations/:id/release', { config: { scope: HOLDS }, schema: RELEASE }, async (request) =>
      reservationJson(orThrow(await reservations.release(request.principal.tenant, request.params.id))),
    )
    app.post('/v1/reservations/:id/extend', { config: { scope: HOLDS }, schema: EXTEND }, async (request) => {
      const ttlMs = orThrow(parseTtlMs(request.body.ttlMs))
      return reservationJson(orThrow(await reservations.extend(request.principal.tenant, request.params.id, ttlMs)))
    })
  }
}

/** One of a quantity and of events; data and time of events stand in each. */
function settledUsage({ quantity, data, time, events }: SettleInput): Outcome<SettledUsage> {
  if (events === undefined) {
    if (quantity === undefined) return invalidRequest('quantity', 'quantity or events must be given')
    const units = parseSettledQuantity(quantity)
    if (isRefusal(units)) return units
    return { quantity: units, occurredAtMs: instantOf(time, 'time'), properties: propertiesOf(data) }
  }
  const beside = Object.entries({ quantity, data, time }).find(([, value]) => value !== undefined)
  if (beside !== undefined) return invalidRequest(beside[0], `${beside[0]} must not stand beside events, which have their own`)
  if (events.length === 0 || events.length > SETTLED_EVENTS_MAX) {
    return invalidRequest(
      'events',
      `events must be 1 to ${SETTLED_EVENTS_MAX}, were ${events.length}; settle the quantity 0, or release, when nothing was used`,
    )
  }
  const parsed = parseSettledEvents(
    events.map(({ type, data: properties = {}, time: at, id = null }, index) => ({
      ...{ id, type, data: properties },
      occurredAtMs: instantOf(at, `events[${index}].time`),
    })),
  )
  return isRefusal(parsed) ? parsed : { events: parsed }
}

function instantOf(text: string | undefined, field: string): InstantMs | null {
  return text === undefined ? null : orThrow(parseInstant(text, field))
}

function propertiesOf(data: object | undefined): object | null {
  return data === undefined ? null : orThrow(parseSettleData(data))
}

function withoutData(data: object | undefined): Outcome<null> {
  return data === undefined ? null : invalidRequest('data', 'data must stand beside settle: true; without it give data when you settle')
}

function invalidRequest(field: string, detail: string): Outcome<never> {
  return refuseFields('invalid_request', [{ field, code: 'invalid', detail }])
}

function balanceJson(metered: MeteredSpent | null): { balance?: Balance } {
  return metered === null ? {} : { balance: meteredBalance(metered) }
}

/** Callers need not know that the usage of a settled reservation takes a moment to be counted. */
function reservationJson({ id, customer, feature, state, quantity, expiresAtMs }: Hold): ReservationJson {
  const reservation = { id, customer, feature, quantity: formatQuantity(quantity), expiresAt: instantJson(expiresAtMs) }
  if (!('settlement' in state)) return { ...reservation, status: state.kind }
  const { requestedUnits, settledUnits } = state.settlement
  return {
    ...reservation,
    status: 'settled',
    settled: formatQuantity(settledUnits),
    refused: formatQuantity(requestedUnits - settledUnits),
  }
}

const TAGS = { tags: ['reservations'] }
const REFUSALS = { 400: ProblemSchema, 404: ProblemSchema, 409: ProblemSchema, 429: ProblemSchema, 503: ProblemSchema }

const RESERVE = {
  ...TAGS,
  operationId: 'reserve',
  summary: 'Hold units of a feature',
  description:
    'Holds the quantity if used + held + quantity stays within the hard limit, else 409 `hard_limit_reached` and nothing is held. ' +
    'No number of requests at once passes the limit. A retry under the same own `id` is answered 200 with the same reservation. ' +
    'With `settle: true` the quantity is decided, held and settled in one step: it is used once that is answered.',
  body: ReservationInputSchema,
  response: { 200: ReservedSchema, 201: ReservedSchema, ...REFUSALS },
}
const GET_RESERVATION = {
  ...TAGS,
  operationId: 'getReservation',
  summary: 'A reservation',
  description: 'Known until a day after it ended.',
  params: ReservationParamsSchema,
  response: { 200: ReservationSchema, ...REFUSALS },
}
const SETTLE = {
  ...TAGS,
  operationId: 'settleReservation',
  summary: 'Settle the real usage and free the rest',
  description:
    'A quantity counts for the feature, with the properties of `data` as its dimensions. Beyond what is held, a hard limit lets through what still fits under it: see `settled` and `refused`. ' +
    '`events` say what happened instead: every meter reads them, they count whole and together, and `settled` is what they come to for the feature. May be repeated with the same body. ' +
    'An expired reservation can be settled too, as if nothing had been held.',
  params: ReservationParamsSchema,
  body: SettleInputSchema,
  response: { 200: SettledSchema, ...REFUSALS },
}
const RELEASE = {
  ...TAGS,
  operationId: 'releaseReservation',
  summary: 'Give all units back',
  description: 'May be repeated.',
  params: ReservationParamsSchema,
  response: { 200: ReservationSchema, ...REFUSALS },
}
const EXTEND = {
  ...TAGS,
  operationId: 'extendReservation',
  summary: 'Hold the units for longer',
  description: 'The reservation expires `ttlMs` from now, or when it would have, if that is later.',
  params: ReservationParamsSchema,
  body: ExtendInputSchema,
  response: { 200: ReservationSchema, ...REFUSALS },
}
