import type { Bounds } from '../domain/bound.ts'

/** Bounds on reads of usage that share queries: invoices, and balances that are counted anew. */
export const USAGE_READER_BOUNDS = {
  rows: {
    what: 'rows of the usage of one customer and meter over a period',
    most: 50_000,
    unit: 'rows',
    per: 'query',
    code: 'too_many_rows',
    test: 'usage/period-usage.test.ts > a page with more rows than fit into a query',
  },
  waiting: {
    what: 'reads of periods that wait for their query; a tenant may hold half of it',
    most: 10_000,
    unit: 'reads',
    per: 'process',
    code: 'too_many_reads',
    test: 'base/batched-reads.test.ts > an owner has half of the bound at most',
  },
  completeMeters: {
    what: 'meters known to be complete; one more pushes others out',
    most: 10_000,
    unit: 'meters',
    per: 'process',
    code: null,
    test: 'base/bounds/bounded-map.test.ts > holds the newest half of its bound',
  },
  tenants: {
    what: 'tenants whose adopted customers are remembered; one more pushes others out',
    most: 10_000,
    unit: 'tenants',
    per: 'process',
    code: null,
    test: 'base/bounds/bounded-map.test.ts > holds the newest half of its bound',
  },
} as const satisfies Bounds
