import { Counter, type Registry } from 'prom-client'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey } from '../../domain/identity.ts'
import { isRefusal, orThrow } from '../../domain/refusal.ts'
import type { Hold } from '../../domain/reservations/hold.ts'
import {
  parseReservedQuantity,
  parseSettleData,
  parseSettledQuantity,
  parseTtlMs,
  RESERVATION_TTL_MS_DEFAULT,
} from '../../domain/reservations/reservation.ts'
import type { Reservations } from '../../entitlements/reservations.ts'
import { type HttpApp, ProblemSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import {
  ExtendInputSchema,
  ReservationInputSchema,
  type ReservationJson,
  ReservationParamsSchema,
  ReservationSchema,
  ReservedSchema,
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
      const { customer, feature, quantity, ttlMs = RESERVATION_TTL_MS_DEFAULT, id = null } = request.body
      const reserved = await reservations.reserve(request.principal.tenant, id, {
        customer: customer as CustomerKey,
        feature: feature as FeatureKey,
        quantity: orThrow(parseReservedQuantity(quantity)),
        ttlMs: orThrow(parseTtlMs(ttlMs)),
      })
      answers.inc({ result: isRefusal(reserved) ? reserved.code : reserved.isNew ? 'held' : 'repeated' })
      const { hold, isNew, metered } = orThrow(reserved)
      const balance = metered === null ? {} : { balance: meteredBalance(metered) }
      return reply.code(isNew ? 201 : 200).send({ ...reservationJson(hold), ...balance })
    })
    app.get('/v1/reservations/:id', { config: { scope: HOLDS }, schema: GET_RESERVATION }, async (request) =>
      reservationJson(orThrow(await reservations.find(request.principal.tenant, request.params.id))),
    )
    app.post('/v1/reservations/:id/settle', { config: { scope: HOLDS }, schema: SETTLE }, async (request) => {
      const { quantity, data, time } = request.body
      const usage = {
        quantity: orThrow(parseSettledQuantity(quantity)),
        occurredAtMs: time === undefined ? null : orThrow(parseInstant(time, 'time')),
        data: data === undefined ? null : orThrow(parseSettleData(data)),
      }
      return reservationJson(orThrow(await reservations.settle(request.principal.tenant, request.params.id, usage)))
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
    'No number of requests at once passes the limit. A retry under the same own `id` is answered 200 with the same reservation.',
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
    'Beyond the quantity held, a hard limit lets through what still fits under it: see `settled` and `refused`. May be repeated with the same quantity. ' +
    'An expired reservation can be settled too, as if nothing had been held.',
  params: ReservationParamsSchema,
  body: SettleInputSchema,
  response: { 200: ReservationSchema, ...REFUSALS },
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
