import type { Bounds } from '../bound.ts'

const ROUTES = 'api/reservations/reservation-routes.test.ts'

/** Bounds on one reservation, which stays in memory until it has ended and its usage is counted. */
export const RESERVATION_BOUNDS = {
  time: {
    what: 'time for which units are held',
    most: 86_400_000,
    unit: 'ms',
    per: 'reservation',
    code: 'invalid_ttl',
    test: `${ROUTES} > too long a time`,
  },
  data: {
    what: '`data` of a settled quantity as JSON',
    most: 4_096,
    unit: 'bytes',
    per: 'settlement',
    code: 'invalid_data',
    test: `${ROUTES} > settle: data too large`,
  },
  events: {
    what: 'events that settle',
    most: 100,
    unit: 'events',
    per: 'settlement',
    code: 'invalid_request',
    test: `${ROUTES} > too many events`,
  },
  eventBytes: {
    what: 'events that settle, together as JSON',
    most: 65_536,
    unit: 'bytes',
    per: 'settlement',
    code: 'settlement_too_large',
    test: `${ROUTES} > too much of events`,
  },
} as const satisfies Bounds
