import type { Bounds } from '../../domain/bound.ts'

const ROUTES = 'api/bulk/bulk-routes.test.ts'

/** Bounds on one request of many puts. A batch is one transaction, and what else waits for the catalog waits for one at most. */
export const BULK_BOUNDS = {
  lines: {
    what: 'lines of a request of `POST /v1/bulk`; the verdicts are held until the last',
    most: 100_000,
    unit: 'lines',
    per: 'request',
    code: 'too_many_puts',
    test: `${ROUTES} > more lines than may be`,
  },
  lineBytes: {
    what: 'a line of `POST /v1/bulk`',
    most: 1_048_576,
    unit: 'bytes',
    per: 'line',
    code: 'line_too_long',
    test: `${ROUTES} > a line that is too long`,
  },
  batch: {
    what: 'customers, and as many subscriptions, put in one transaction; the next ones are put in another',
    most: 500,
    unit: 'puts',
    per: 'transaction',
    code: null,
    test: `${ROUTES} > more than a batch`,
  },
} as const satisfies Bounds
