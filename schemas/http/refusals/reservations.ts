import { formatQuantity } from '../../../domain/decimal.ts'
import { END_OF_TIME_MS, type InstantMs } from '../../../domain/identity.ts'
import { instantJson } from '../instants.ts'
import type { FieldsOf, RefusalRows } from './refusal-row.ts'

export const RESERVATION_REFUSALS = {
  hard_limit_reached: {
    status: 409,
    means: 'The quantity does not fit under the hard limit. Nothing is held.',
    next: 'Ask for less, or wait for the reset.',
    detail: ({ feature, askedUnits, limitUnits, usedUnits, heldUnits }: HardLimitReached) => {
      const left = formatQuantity(leftUnits(limitUnits - usedUnits - heldUnits))
      return `${formatQuantity(askedUnits)} of ${feature} were asked for and ${left} are left of the hard limit ${formatQuantity(limitUnits)} (used ${formatQuantity(usedUnits)}, held ${formatQuantity(heldUnits)}). Nothing is held; ask for less, or wait for the reset.`
    },
    members: ({ limitUnits, usedUnits, heldUnits, resetsAtMs }: HardLimitReached) => ({
      limit: formatQuantity(limitUnits),
      used: formatQuantity(usedUnits),
      held: formatQuantity(heldUnits),
      remaining: formatQuantity(leftUnits(limitUnits - usedUnits - heldUnits)),
      resetsAt: resetsAtMs >= END_OF_TIME_MS ? null : instantJson(resetsAtMs),
    }),
  },
  too_many_holds: {
    status: 429,
    means: 'As many reservations are under way as may be. Nothing is held.',
    next: 'Settle or release some, or hold for a shorter time; try again after `Retry-After`.',
    retryAfterSeconds: 1,
    detail: ({ of, holdsMax }: { of: 'tenant' | 'process'; holdsMax: number }) =>
      `${of === 'tenant' ? 'This tenant has' : 'All tenants together have'} ${holdsMax} reservations under way, the most that may be. Nothing is held; settle or release some, give a shorter ttlMs, or try again in 1 s.`,
  },
  unknown_reservation: {
    status: 404,
    means: 'No reservation has this id: it was never made, or ended more than a day ago.',
    next: 'Make a new one, or report the usage with `POST /v1/usage`.',
    detail: ({ reservation }: { reservation: string }) =>
      `There is no reservation ${reservation}; it was never made, or ended more than a day ago.`,
  },
  reservation_id_reused: {
    status: 409,
    means: 'A reservation of another customer, feature or quantity has this id.',
    next: 'Take a new id for each reservation.',
    detail: ({ reservation }: { reservation: string }) =>
      `Reservation ${reservation} exists with another customer, feature or quantity; take a new id for each reservation.`,
  },
  already_settled: {
    status: 409,
    means: 'The reservation was settled before, and that stands.',
    next: 'Report further usage with `POST /v1/usage`.',
    detail: ({ reservation, settledUnits }: { reservation: string; settledUnits: bigint | null }) =>
      `Reservation ${reservation} was settled${settledUnits === null ? '' : ` with ${formatQuantity(settledUnits)}`} before, and that stands.`,
  },
  already_released: {
    status: 409,
    means: 'The reservation was released before.',
    next: 'Make a new one, or report the usage with `POST /v1/usage`.',
    detail: ({ reservation }: { reservation: string }) =>
      `Reservation ${reservation} was released before; make a new one, or report the usage with POST /v1/usage.`,
  },
  reservation_expired: {
    status: 409,
    means: 'The reservation expired and holds nothing.',
    next: 'Make a new one under a new id, or settle what was used.',
    detail: ({ reservation, expiresAtMs }: { reservation: string; expiresAtMs: number }) =>
      `Reservation ${reservation} expired at ${new Date(expiresAtMs).toISOString()} and holds nothing; make a new one under a new id, or settle what was used.`,
  },
  settlement_too_large: {
    status: 400,
    means: 'The events of a settlement are too large together.',
    next: 'Send what is metered, and a link to the rest; or settle a part and send the rest with `POST /v1/events`.',
    detail: ({ bytes, bytesMax }: { bytes: number; bytesMax: number }) =>
      `The events of a settlement may have ${bytesMax} bytes together as JSON, these have ${bytes}. Send what is metered, and a link to the rest.`,
  },
  invalid_ttl: {
    status: 400,
    means: 'A reservation would be held for too short or too long.',
    next: 'Give a `ttlMs` within the bounds that `detail` names.',
    detail: ({ ttlMs, ttlMsMin, ttlMsMax }: { ttlMs: number; ttlMsMin: number; ttlMsMax: number }) =>
      `ttlMs must be a whole number from ${ttlMsMin} to ${ttlMsMax}, was ${ttlMs}.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof RESERVATION_REFUSALS> {}
}

type HardLimitReached = {
  readonly feature: string
  readonly askedUnits: bigint
  readonly limitUnits: bigint
  readonly usedUnits: bigint
  readonly heldUnits: bigint
  /** End of the period; `END_OF_TIME_MS` when the usage never resets. */
  readonly resetsAtMs: InstantMs
}

const leftUnits = (units: bigint): bigint => (units > 0n ? units : 0n)
