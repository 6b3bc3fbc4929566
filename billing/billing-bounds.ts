import type { Bounds } from '../domain/bound.ts'
import { DRAFT_LINES_MAX } from '../schemas/http/invoice-drafts.ts'

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
  draftLines: {
    what: 'lines by hand of a draft',
    most: DRAFT_LINES_MAX,
    unit: 'lines',
    per: 'document',
    code: 'too_many_lines',
    test: 'test/e2e/billing-drafts.test.ts > a draft has as many lines as one may',
  },
  lineWindows: {
    what: 'windows of a line in one answer: a month of minutes fits',
    most: 50_000,
    unit: 'windows',
    per: 'answer',
    code: 'too_many_windows',
    test: 'test/e2e/billing-lines.test.ts > a line of more windows than an answer holds',
  },
} as const satisfies Bounds
