import type { Bounds } from '../../domain/bound.ts'

/** Bounds on what callers of the api may make the counters keep. */
export const COUNTER_BOUNDS = {
  holds: {
    what: 'reservations under way, embedded; a tenant with fewer than 1,000 is let in beyond it',
    most: 500_000,
    unit: 'reservations of some 0.4 KB',
    per: 'process',
    code: 'too_many_holds',
    test: 'api/reservations/reservation-routes.test.ts > as many as may be',
  },
  holdsOfTenant: {
    what: 'reservations under way; with Redis in each partition',
    most: 100_000,
    unit: 'reservations',
    per: 'tenant',
    code: 'too_many_holds',
    test: 'api/reservations/reservation-routes.test.ts > as many as may be',
  },
  trackingRequests: {
    what: 'customers that wait for their counters to be computed',
    most: 100_000,
    unit: 'customers',
    per: 'process, with Redis each partition',
    code: 'too_many_first_balances',
    test: 'test/contracts/counters.ts > more customers than may wait',
  },
  trackingRequestsOfTenant: {
    what: 'customers that wait for their counters to be computed',
    most: 20_000,
    unit: 'customers',
    per: 'tenant, with Redis in each partition',
    code: 'too_many_first_balances',
    test: 'test/contracts/counters.ts > more customers than may wait',
  },
} as const satisfies Bounds

/** A tenant with fewer reservations can always make another, whatever all the others hold. */
export const HOLDS_OF_TENANT_MIN = 1_000
