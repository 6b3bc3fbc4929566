import { describe, expect, test } from 'vitest'
import type { Charge } from '../../domain/catalog/plan.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { NANO } from '../../domain/decimal.ts'
import type { FeatureKey } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { validatePrice } from '../../rating/validate-price.ts'
import { upcomingOf } from '../../test/support/billing/upcoming.ts'
import { decimalOf, exactOf } from '../../test/support/exact-decimal.ts'
import { TRACE_CUSTOMERS } from '../../test/support/trace/real-trace.ts'
import { GRADUATED_TIERS, PER_MODEL_CHARGES } from '../../test/support/trace/trace-catalog.ts'
import { type TraceInvoice, traceInvoices } from '../../test/support/trace/trace-invoices.ts'

function charge(key: string, price: unknown): Charge {
  return { key, feature: key as FeatureKey, filter: {}, price: orThrow<Price>(validatePrice(price)) }
}

function invoiceOf(charges: readonly Charge[], { lines }: TraceInvoice) {
  const usage = new Map(lines.map((line) => [line.charge, BigInt(line.quantity) * NANO]))
  const { lines: rated, total } = upcomingOf({ charges }, usage)
  return { lines: rated.flatMap((line) => (line.kind === 'usage' && line.quantity !== '0' ? [line] : [])), total }
}

describe('what the customers of the real trace owe', () => {
  const invoices = traceInvoices()

  test('per model and direction: every line exact and rounded, totals as the sum of lines', () => {
    const charges = PER_MODEL_CHARGES.map(({ key, unitAmount }) => charge(key, { model: 'flat', unitAmount, per: 1_000_000 }))
    for (const [customer, { perModel }] of invoices) {
      const actual = invoiceOf(charges, perModel)
      expect(actual.lines, customer).toMatchObject(perModel.lines)
      expect(actual.total, customer).toBe(perModel.total)
    }
  })

  test('graduated over all tokens: every tier exact, one line rounded once', () => {
    const charges = [charge('total', { model: 'tiered', per: 1_000_000, tiers: GRADUATED_TIERS })]
    for (const [customer, { graduated }] of invoices) {
      const actual = invoiceOf(charges, graduated)
      expect(actual.lines, customer).toMatchObject([{ ...graduated.lines[0], tiers: graduated.tiers }])
      expect(actual.total, customer).toBe(graduated.total)
    }
  })

  // The sums were computed once by another program, with fractions, so that they cannot be wrong together with the code.
  test.each([
    { plan: 'perModel', exact: '99.6478587', invoiced: '99.65' },
    { plan: 'graduated', exact: '105.169215', invoiced: '105.14' },
  ] as const)('all invoices of $plan come to $invoiced', ({ plan, exact, invoiced }) => {
    const all = [...invoices.values()].map((each) => each[plan])
    const sum = (amounts: readonly string[]) => decimalOf(amounts.reduce((total, amount) => total + exactOf(amount), 0n))
    expect(all).toHaveLength(TRACE_CUSTOMERS)
    expect(sum(all.flatMap(({ lines }) => lines.map((line) => line.exact)))).toBe(exact)
    expect(sum(all.map(({ total }) => total))).toBe(invoiced)
  })
})
