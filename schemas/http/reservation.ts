import { type Static, Type } from 'typebox'
import {
  RESERVATION_TTL_MS_DEFAULT,
  RESERVATION_TTL_MS_MAX,
  RESERVATION_TTL_MS_MIN,
  SETTLE_DATA_BYTES_MAX,
} from '../../domain/reservations/reservation.ts'
import { BalanceSchema } from './balance.ts'
import { CustomerNameSchema, DecimalInputSchema, InstantSchema, KeySchema } from './common.ts'

const closed = { additionalProperties: false }
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
  },
  closed,
)

export const SettleInputSchema = Type.Object(
  {
    quantity: Type.Union(DecimalInputSchema.anyOf, { description: 'What was really used: less, equal or more than held; 0 for nothing' }),
    data: Type.Optional(
      Type.Object(
        {},
        { additionalProperties: true, description: `Kept with the usage event; at most ${SETTLE_DATA_BYTES_MAX} bytes as JSON` },
      ),
    ),
    time: Type.Optional({
      ...InstantSchema,
      description: 'When it was used; taken as no earlier than the reservation and no later than now. Default: now',
    }),
  },
  closed,
)

export const ExtendInputSchema = Type.Object({ ttlMs: ttlMs('How long from now the units stay held') }, closed)

export const ReservationSchema = Type.Object({
  id: KeySchema,
  customer: CustomerNameSchema,
  feature: KeySchema,
  status: Type.Enum(['held', 'settled', 'released', 'expired']),
  quantity: Type.String({ description: 'The held quantity' }),
  expiresAt: InstantSchema,
  settled: Type.Optional(Type.String({ description: 'Only when settled: the usage that counts' })),
  refused: Type.Optional(Type.String({ description: 'Only when settled: usage beyond the hold that did not fit under the hard limit' })),
})
export type ReservationJson = Static<typeof ReservationSchema>

export const ReservedSchema = Type.Object({
  ...ReservationSchema.properties,
  balance: Type.Optional(BalanceSchema),
})
