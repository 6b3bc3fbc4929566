import { describe, expect, test } from 'vitest'
import type { Credit } from '../../domain/billing/credit.ts'
import type { LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import type { Money } from '../../domain/billing/money.ts'
import { NANO } from '../../domain/decimal.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import { createBillingStory } from '../../test/support/billing/billing-story.ts'
import { instant, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { decideOneOff } from './one-off.ts'
import { decidePayment } from './payment.ts'
import { voidInvoice } from './void-invoice.ts'

const { currency, parse, text } = moneyOf('USD')
const NOW = instant('2026-04-01T00:00:00Z')
const nothing = 0n as Money
const VAT = { key: 'vat', name: 'VAT', percentNano: 20_000_000_000n, isInclusive: false }
const taxes = { rates: new Map([['vat', VAT]]), defaults: ['vat'], isExempt: false }

const entriesOf = (transactions: readonly LedgerTransaction[]) =>
  transactions.map(({ entries }) => Object.fromEntries(entries.map(({ account, amount }) => [account, text(amount)])))

function credit(amount: string, paid: string): Credit {
  return {
    ...{ id: 'w', amount: parse(amount), paid: parse(paid), priority: 100, effectiveAtMs: NOW, expiresAtMs: null, createdAtMs: NOW },
    ...{ appliesTo: { kinds: null, features: null }, burned: nothing, expired: nothing, voided: nothing },
  }
}

describe('a document that no subscription makes', () => {
  const asked = { currency, taxes, customer: 'acme' as CustomerKey, dueMs: 0 }

  test('rounds a line by hand once, takes neither coupons nor credits, and is paid by the balance', () => {
    const coupon = { id: 'c', reduction: { kind: 'amount' as const, amount: parse('5') }, features: null, usesLeft: null }
    const purse = { coupons: [coupon], credits: [credit('50', '0')], balance: parse('1.00') }
    const lines = [{ description: 'Set-up', quantityNano: 3n * NANO, unitAmount: '33.335' }]
    const { document, transactions } = decideOneOff({ ...asked, lines, purse, credit: null }, NOW, 'inv')
    expect([document.kind, text(document.net), text(document.tax), text(document.due)]).toEqual(['manual', '100.01', '20.00', '119.01'])
    expect(entriesOf(transactions)).toEqual([
      { receivable: '120.01', tax: '-20.00', revenue: '-100.01' },
      { receivable: '-1.00', balance: '1.00' },
    ])
  })

  test('sells a credit as soon as it is final: what it is worth more than is paid for it is promotion', () => {
    const purse = { coupons: [], credits: [], balance: nothing }
    const lines = [{ description: 'Credits', quantityNano: NANO, unitAmount: '100' }]
    const sold = decideOneOff({ ...asked, lines, purse, credit: { ...credit('110', '100'), grantOn: 'finalised' } }, NOW, 'inv')
    expect([sold.document.kind, text(sold.document.due), sold.purse.credits.length]).toEqual(['topUp', '120.00', 1])
    expect(entriesOf(sold.transactions)).toEqual([{ receivable: '120.00', promotion: '10.00', tax: '-20.00', credits: '-110.00' }])
  })

  test('sells one that waits for the payment: until then its price is owed, and nothing can be spent', () => {
    const purse = { coupons: [], credits: [], balance: nothing }
    const lines = [{ description: 'Credits', quantityNano: NANO, unitAmount: '100' }]
    const sold = { ...credit('110', '0'), grantOn: 'paid' as const }
    const made = decideOneOff({ ...asked, lines, purse, credit: sold }, NOW, 'inv')
    expect([made.purse.credits.length, made.granted, text(made.awaiting?.paid ?? nothing)]).toEqual([0, null, '100.00'])
    expect(entriesOf(made.transactions)).toEqual([{ receivable: '120.00', tax: '-20.00', credits: '-100.00' }])
    const balance = parse('120')
    const covered = decideOneOff({ ...asked, lines, purse: { ...purse, balance }, credit: sold }, NOW, 'inv')
    expect([covered.purse.credits.length, covered.awaiting], 'what the balance has paid is paid').toEqual([1, null])
  })
})

test.each([
  { due: '27.60', pays: '27.60', applied: '27.60', toBalance: '0.00', isPaid: true },
  { due: '27.60', pays: '20', applied: '20.00', toBalance: '0.00', isPaid: false },
  { due: '27.60', pays: '30', applied: '27.60', toBalance: '2.40', isPaid: true },
  { due: '0', pays: '5', applied: '0.00', toBalance: '5.00', isPaid: true },
])('of $due due $pays pays $applied and leaves $toBalance to the balance', ({ due, pays, ...expected }) => {
  const { applied, toBalance, isPaid, transaction } = decidePayment('p', parse(due), parse(pays))
  expect({ applied: text(applied), toBalance: text(toBalance), isPaid }).toEqual(expected)
  expect(transaction.entries.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n)
})

test('a void leaves the ledger, the credits, the coupons and the balance as they were before the document', () => {
  const charges = [{ key: 'u', feature: 'u', price: { model: 'flat' as const, unitAmount: '1' } }]
  const story = createBillingStory({
    ...{ currency: 'USD', plans: { p: { interval: 'month', baseFee: '30.00', charges } }, plan: 'p', startMs: NOW, taxes },
    coupons: () => [{ id: 'c', reduction: { kind: 'amount', amount: parse('10') }, features: null, usesLeft: 2 }],
    credits: () => [credit('12', '0')],
  })
  story.run(NOW)
  story.use({ feature: 'u', occurredAtMs: instant('2026-04-02T00:00:00Z'), quantityNano: 20n * NANO })
  const before = story.state().purse
  const [made] = story.run(instant('2026-05-01T02:00:00Z'))
  if (made?.document == null) throw new Error('April has an invoice')
  const { document, burns, couponsUsed, documentTransactions: transactions } = made
  const voided = voidInvoice({ document, burns, couponsUsed, transactions }, story.state().purse)
  expect(burns.length).toBeGreaterThan(0)
  expect(voided.purse).toEqual(before)
  const sums = new Map<string, bigint>()
  for (const { entries } of [...transactions, ...voided.transactions]) {
    for (const { account, amount } of entries) sums.set(account, (sums.get(account) ?? 0n) + amount)
  }
  expect([...sums.values()].every((sum) => sum === 0n)).toBe(true)
})
