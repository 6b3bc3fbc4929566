import { describe, expect, test } from 'vitest'
import type { Charge } from '../../domain/catalog/plan.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import type { FeatureKey } from '../../domain/identity.ts'
import { upcomingOf } from '../../test/support/billing/upcoming.ts'

const charge = (key: string, price: Price): Charge => ({ key, feature: `${key}_feature` as FeatureKey, filter: {}, price })
const invoice = (about: { baseFee?: string; currency?: string; charges?: Charge[]; usage?: Record<string, string> }) =>
  upcomingOf(
    { currency: about.currency ?? 'USD', baseFee: about.baseFee ?? null, charges: about.charges ?? [] },
    new Map(Object.entries(about.usage ?? {}).map(([key, quantity]) => [key, parseQuantity(quantity) ?? 0n])),
  )

describe('an invoice', () => {
  test('has the base fee in full, then the charges in the order of the plan', () => {
    const charges = [
      charge('tokens', {
        model: 'tiered',
        per: '1000',
        tiers: [
          { upTo: '1000', unitAmount: '0' },
          { upTo: null, unitAmount: '1.5' },
        ],
      }),
      charge('calls', { model: 'flat', unitAmount: '0.001' }),
    ]
    expect(invoice({ baseFee: '49.9', charges, usage: { calls: '7', tokens: '1003' } })).toEqual({
      lines: [
        { kind: 'base', quantity: '1', amount: '49.90', exact: '49.9' },
        {
          ...{ kind: 'usage', charge: 'tokens', feature: 'tokens_feature', quantity: '1003', amount: '0.00', exact: '0.0045' },
          tiers: [
            { tier: 1, quantity: '1000', unitAmount: '0', exact: '0' },
            { tier: 2, quantity: '3', unitAmount: '1.5', exact: '0.0045' },
          ],
        },
        { kind: 'usage', charge: 'calls', feature: 'calls_feature', quantity: '7', amount: '0.01', exact: '0.007' },
      ],
      total: '49.91',
    })
  })

  test('totals the rounded lines, not the exact ones', () => {
    const charges = ['a', 'b', 'c'].map((key) => charge(key, { model: 'flat', unitAmount: '0.005' }))
    const { lines, total } = invoice({ charges, usage: { a: '1', b: '1', c: '1' } })
    expect(lines.map(({ amount }) => amount)).toEqual(['0.01', '0.01', '0.01'])
    expect(total).toBe('0.03')
  })

  test('shows a charge without usage, at nothing unless the price says otherwise', () => {
    const charges = [
      charge('idle', { model: 'flat', unitAmount: '5' }),
      charge('seat', { model: 'stairstep', flatAtZero: true, tiers: [{ upTo: null, flatAmount: '20' }] }),
    ]
    const { lines, total } = invoice({ charges })
    expect(lines).toMatchObject([
      { charge: 'idle', quantity: '0', amount: '0.00', exact: '0' },
      { charge: 'seat', quantity: '0', amount: '20.00', exact: '20' },
    ])
    expect(total).toBe('20.00')
  })

  test('never credits usage below zero, and shows it', () => {
    const { lines, total } = invoice({ charges: [charge('calls', { model: 'flat', unitAmount: '5' })], usage: { calls: '-3' } })
    expect(lines).toMatchObject([{ quantity: '-3', amount: '0.00', exact: '0' }])
    expect(total).toBe('0.00')
  })

  test.each([
    { currency: 'JPY', amount: '13' },
    { currency: 'HUF', amount: '12.50' },
    { currency: 'KWD', amount: '12.500' },
    { currency: 'CLF', amount: '12.5000' },
  ])('in $currency rounds 12.5 to $amount', ({ currency, amount }) => {
    expect(invoice({ currency, baseFee: '12.5' })).toMatchObject({ lines: [{ amount, exact: '12.5' }], total: amount })
  })

  test('of a plan without fee or charges is empty', () => {
    expect(invoice({})).toMatchObject({ lines: [], total: '0.00' })
  })
})
