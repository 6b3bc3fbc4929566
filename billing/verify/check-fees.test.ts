import { expect, test } from 'vitest'
import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { createBillingStory } from '../../test/support/billing/billing-story.ts'
import { instant } from '../../test/support/billing/billing-vectors.ts'
import { invoiceRecord } from '../invoices/invoice-record.ts'
import { checkFees } from './check-fees.ts'

type Lines = readonly { readonly kind: string; readonly line: string }[]

/** A life with a change of plan, a reset anchor and an end in the middle of a period; then its documents as they are kept. */
function lived(change: (lines: Lines, at: number) => Lines = (lines) => lines) {
  const plan = (baseFee: string) => ({ interval: 'month' as const, baseFee, charges: [] })
  const startMs = instant('2026-01-01T00:00:00Z')
  const story = createBillingStory({ currency: 'USD', plans: { p: plan('30.00'), q: plan('90.01') }, plan: 'p', startMs })
  const later = (day: string) => (instant(`${day}T00:00:00Z`) + 2 * 3_600_000) as InstantMs
  story.run(startMs)
  story.change('q', instant('2026-01-11T00:00:00Z'))
  story.run(later('2026-02-01'))
  story.change('q', instant('2026-02-10T00:00:00Z'), 'now', { anchorMs: instant('2026-02-10T00:00:00Z') })
  story.run(later('2026-03-10'))
  story.cancel(instant('2026-03-20T00:00:00Z'))
  story.run(later('2026-03-20'))
  const { subscription, planVersions, currency, cursor, baseFees, parts, committed } = story.state()
  const { id, customer } = subscription
  const documents = story.documents().map((document, at): AuditedDocument => {
    const record = invoiceRecord(currency, document)
    const lines = change(record.lines as unknown as Lines, at)
    const kept = { id: document.id, customer, subscription: id, status: 'paid' as const, currency: 'USD', due: document.due }
    return { ...kept, paid: document.due, sequence: 1, contentHash: '', previousHash: null, record: { ...record, lines } }
  })
  const books = new Map([[id, { cursor, baseFees, parts, committed }]])
  return checkFees({ subscriptions: new Map([[id, subscription]]), planVersions, books }, documents)
}

test('fees that tile the served time are no difference', () => {
  expect(lived()).toEqual([])
})

test.each([
  { what: 'a fee that is missing', change: (lines: Lines, at: number) => (at === 0 ? [] : lines) },
  { what: 'a fee that is asked for twice', change: (lines: Lines, at: number) => (at === 0 ? [...lines, ...lines] : lines) },
  { what: 'a fee that is not given back', change: (lines: Lines) => lines.filter(({ kind }) => kind !== 'unused') },
])('$what is found', ({ change }) => {
  expect(lived(change).map(({ what }) => what)).toContain('base fees come to what the served time costs')
})
