import type { Bounds } from '../domain/bound.ts'

/** Bounds on what callers make billing read and write. */
export const BILLING_BOUNDS = {
  invoiceReads: {
    what: 'upcoming invoices that wait to be read; a tenant may hold half of it',
    most: 10_000,
    unit: 'reads',
    per: 'process',
    code: 'too_many_reads',
    test: 'base/batched-reads.test.ts > an owner has half of the bound at most',
  },
} as const satisfies Bounds
