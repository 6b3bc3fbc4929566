import { type Static, Type } from 'typebox'
import { EVENT_TYPE_CHARS_MAX } from '../../domain/metering/usage-event.ts'
import {
  RESERVATION_TTL_MS_DEFAULT,
  RESERVATION_TTL_MS_MAX,
  RESERVATION_TTL_MS_MIN,
  SETTLE_DATA_BYTES_MAX,
} from '../../domain/reservations/reservation.ts'
import { SETTLED_EVENTS_BYTES_MAX, SETTLED_EVENTS_MAX } from '../../domain/reservations/settled-events.ts'
import { BalanceSchema } from './balance.ts'
import { CustomerNameSchema, DecimalInputSchema, InstantSchema, KeySchema } from './common.ts'

const closed = { additionalProperties: false }
const PropertiesSchema = Type.Object(
  {},
  {
    additionalProperties: true,
    description: `Properties that the dimensions of the feature's meter read; at most ${SETTLE_DATA_BYTES_MAX} bytes as JSON. Those that the feature filters by must be among what it counts, or be left out.`,
  },
)
/** The handler checks the bounds and names them. */
const ttlMs = (what: string) =>
  Type.Number({ description: `${what}: a whole number of milliseconds from ${RESERVATION_TTL_MS_MIN} to ${RESERVATION_TTL_MS_MAX}` })

export const ReservationParamsSchema = Type.Object({ id: KeySchema })

export const ReservationInputSchema = Type.Object(
  {
    customer: CustomerNameSchema,
    feature: KeySchema,
    quantity: DecimalInputSchema,
    ttlMs: Type.Optional({ ...ttlMs('How long the units stay held'), default: RESERVATION_TTL_MS_DEFAULT }),
    id: Type.Optional({
      ...KeySchema,
      description: 'Your own id: a retry under it is answered with the same hold. Free again a day after the reservation ended.',
    }),
    settle: Type.Optional(
      Type.Boolean({
        description: 'Settles in the same step: the quantity is used, or nothing is. `ttlMs` then says nothing.',
        default: false,
      }),
    ),
    data: Type.Optional(PropertiesSchema),
  },
  closed,
)

const usedAt = (what: string) => ({
  ...InstantSchema,
  description: `When ${what}; taken as no earlier than the reservation and no later than now. Default: now`,
})

const SettledEventSchema = Type.Object(
  {
    type: Type.String({ minLength: 1, maxLength: EVENT_TYPE_CHARS_MAX }),
    data: Type.Optional(Type.Object({}, { additionalProperties: true })),
    time: Type.Optional(usedAt('it happened')),
    id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description:
          'Only for an event that may also be sent with POST /v1/events, from source `default`: under the same id it counts once',
      }),
    ),
  },
  closed,
)

export const SettleInputSchema = Type.Object(
  {
    quantity: Type.Optional(
      Type.Union(DecimalInputSchema.anyOf, { description: 'What was really used: less, equal or more than held; 0 for nothing' }),
    ),
    data: Type.Optional(PropertiesSchema),
    time: Type.Optional(usedAt('it was used')),
    events: Type.Optional(
      Type.Array(SettledEventSchema, {
        description: `What happened, instead of a quantity: 1 to ${SETTLED_EVENTS_MAX} events, at most ${SETTLED_EVENTS_BYTES_MAX} bytes together as JSON`,
      }),
    ),
  },
  closed,
)
export type SettleInput = Static<typeof SettleInputSchema>

export const ExtendInputSchema = Type.Object({ ttlMs: ttlMs('How long from now the units stay held') }, closed)

export const ReservationSchema = Type.Object({
  id: KeySchema,
  customer: CustomerNameSchema,
  feature: KeySchema,
  status: Type.Enum(['held', 'settled', 'released', 'expired']),
  quantity: Type.String({ description: 'The held quantity' }),
  expiresAt: InstantSchema,
  settled: Type.Optional(Type.String({ description: 'Only when settled: the usage of the feature that counts' })),
  refused: Type.Optional(Type.String({ description: 'Only when settled: usage beyond the hold that did not fit under the hard limit' })),
})
export type ReservationJson = Static<typeof ReservationSchema>

export const ReservedSchema = Type.Object({
  ...ReservationSchema.properties,
  balance: Type.Optional(BalanceSchema),
})

export const SettledSchema = Type.Object({
  ...ReservationSchema.properties,
  balance: Type.Optional({ ...BalanceSchema, description: 'With what was settled. Absent while it cannot be said without a wait' }),
})
