import type { Bounds } from '../../../domain/bound.ts'

/** Bounds on what an `Idempotency-Key` makes the server keep. */
export const IDEMPOTENCY_BOUNDS = {
  key: {
    what: '`Idempotency-Key`',
    most: 255,
    unit: 'characters',
    per: 'request',
    code: 'invalid_idempotency_key',
    test: 'runtime/http/idempotency.test.ts > a key of 256 characters',
  },
  keys: {
    what: 'keys kept, each for 24 hours',
    most: 500_000,
    unit: 'keys',
    per: 'tenant',
    code: 'too_many_idempotency_keys',
    test: 'test/contracts/database/idempotency-store.ts > a tenant keeps as many as may be',
  },
  underWay: {
    what: 'requests with a key under way; a tenant may hold half of it, a key of the api a third',
    most: 1_024,
    unit: 'requests',
    per: 'process',
    code: 'overloaded',
    test: 'runtime/http/idempotency.test.ts > requests under way are shared',
  },
} as const satisfies Bounds
