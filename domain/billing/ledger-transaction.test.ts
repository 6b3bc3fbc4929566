import { expect, test } from 'vitest'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import type { InstantMs } from '../identity.ts'
import { type Credit, leftOf } from './credit.ts'
import {
  balancePosted,
  creditEnded,
  creditNotePosted,
  creditPosted,
  invoicePosted,
  type LedgerTransaction,
  mirrored,
  paymentPosted,
  refundPosted,
  uncollectiblePosted,
} from './ledger-transaction.ts'
import { type Money, plus, sum } from './money.ts'

type Operation = {
  readonly do: string
  readonly id?: string
  readonly face?: string
  readonly paid?: string
  readonly tax?: string
  readonly net?: string
  readonly amount?: string
  readonly offDue?: string
  readonly burned?: Readonly<Record<string, string>>
  readonly balanceApplied?: string
}
type Input = { readonly currency: string; readonly operations: readonly Operation[] }
type Entries = Readonly<Record<string, string>>
type Expected = { readonly entries: readonly Entries[]; readonly accounts: Entries; readonly sum: string }

/** The ledger of one customer. */
function createBook(code: string) {
  const { parse, text } = moneyOf(code)
  const credits = new Map<string, Credit>()
  const amount = (value: string | undefined) => parse(value ?? '0')
  const give = (operation: Operation): LedgerTransaction[] => {
    const credit = newCredit(operation.id ?? '', amount(operation.face), amount(operation.paid))
    credits.set(credit.id, credit)
    return [creditPosted(credit.id, credit, amount(operation.tax))]
  }
  const end = ({ id = '' }: Operation): LedgerTransaction[] => {
    const credit = credits.get(id)
    if (credit === undefined) throw new Error(`no credit ${id}`)
    const left = leftOf(credit)
    credits.set(id, { ...credit, expired: plus(credit.expired, left) })
    return [creditEnded(id, credit, left)]
  }
  const invoice = (operation: Operation, sign: bigint): LedgerTransaction[] => {
    const burned = new Map(Object.entries(operation.burned ?? {}).map(([id, value]) => [id, parse(value)]))
    for (const [id, value] of burned) {
      const credit = credits.get(id)
      if (credit === undefined) throw new Error(`no credit ${id}`)
      credits.set(id, { ...credit, burned: (credit.burned + sign * value) as Money })
    }
    const tax = amount(operation.tax)
    const posted = invoicePosted('invoice', { tax, total: plus(amount(operation.net), tax), burned })
    if (sign < 0n) return [mirrored('void', posted)]
    const balance = amount(operation.balanceApplied)
    return balance === 0n ? [posted] : [posted, balancePosted('balance', balance)]
  }
  const post = (operation: Operation): LedgerTransaction[] => {
    switch (operation.do) {
      case 'creditBought':
      case 'creditGiven':
        return give(operation)
      case 'creditExpired':
      case 'creditVoided':
        return end(operation)
      case 'invoice':
        return invoice(operation, 1n)
      case 'void':
        return invoice(operation, -1n)
      case 'payment':
        return [paymentPosted('payment', amount(operation.amount), amount('0'))]
      case 'refund':
        return [refundPosted('refund', amount(operation.amount))]
      case 'creditNote': {
        const tax = amount(operation.tax)
        const total = plus(amount(operation.net), tax)
        return [creditNotePosted('note', { total, tax, offDue: amount(operation.offDue) })]
      }
      default:
        throw new Error(`no operation ${operation.do}`)
    }
  }
  return { post, text }
}

function newCredit(id: string, amount: Money, paid: Money): Credit {
  const nothing = 0n as Money
  return {
    ...{ id, amount, paid, priority: 100, effectiveAtMs: 0 as InstantMs, expiresAtMs: null, createdAtMs: 0 as InstantMs },
    ...{ appliesTo: { kinds: null, features: null }, burned: nothing, expired: nothing, voided: nothing },
  }
}

test.each(casesOf<Input, Expected>('ledger'))('$id', ({ input, expected }) => {
  const { post, text } = createBook(input.currency)
  const transactions = input.operations.flatMap(post)
  const accounts = new Map(Object.keys(expected.accounts).map((account) => [account, 0n as Money]))
  for (const { entries } of transactions) {
    for (const { account, amount } of entries) accounts.set(account, plus(accounts.get(account) ?? (0n as Money), amount))
  }
  expect({
    entries: transactions.map(({ entries }) => Object.fromEntries(entries.map(({ account, amount }) => [account, text(amount)]))),
    accounts: Object.fromEntries([...accounts].map(([account, amount]) => [account, text(amount)])),
    sum: text(sum(accounts.values())),
  }).toEqual(expected)
})

test('what cannot be collected is a bad debt, and no transaction is off zero', () => {
  const { parse } = moneyOf('USD')
  expect(uncollectiblePosted('u', parse('10')).entries).toEqual([
    { account: 'receivable', amount: -1000n },
    { account: 'badDebt', amount: 1000n },
  ])
})
