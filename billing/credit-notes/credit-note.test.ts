import { expect, test } from 'vitest'
import { type Money, minus, plus, sum, zero } from '../../domain/billing/money.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { applyTaxes } from '../steps/apply-taxes.ts'
import { decideCreditNote } from './credit-note.ts'

type Input = {
  readonly currency: string
  readonly taxPercent: string
  readonly lines: readonly { id: string; net: string }[]
  readonly notes: readonly { lines: readonly { line: string; amount: string }[] }[]
  readonly paid?: string
}

test.each(casesOf<Input, object>('creditNotes'))('$id', ({ input, expected }) => {
  const { currency, parse, text } = moneyOf(input.currency)
  const rate = { key: 'vat', name: 'VAT', percentNano: parseQuantity(input.taxPercent) ?? -1n, isInclusive: false }
  const { lines, onTop } = applyTaxes<string, { line: string; net: Money; credits: Money; taxRates: (typeof rate)[] }>(
    input.lines.map(({ id, net }) => ({ line: id, net: parse(net), credits: parse('0'), taxRates: [rate] })),
  )
  const total = plus(sum(lines.map(({ net }) => net)), onTop)
  let stillDue = minus(total, parse(input.paid ?? '0'))
  let balance: Money = zero()
  const credited = new Map<string, Money>()
  const notes = input.notes.map((note) => {
    const decided = decideCreditNote(
      { currency, lines, credited, stillDue },
      note.lines.map(({ line, amount }) => ({ line, amount: amount === 'rest' ? null : parse(amount) })),
    )
    if (isRefusal(decided)) return { refused: decided.code }
    for (const { line, net } of decided.lines) credited.set(line, plus(credited.get(line) ?? zero(), net))
    stillDue = minus(stillDue, decided.offDue)
    balance = plus(balance, decided.toBalance)
    const { net, tax, offDue, toBalance } = decided
    return { net: text(net), tax: text(tax), total: text(decided.total), offDue: text(offDue), toBalance: text(toBalance) }
  })
  expect({
    invoice: {
      tax: text(onTop),
      total: text(total),
      lineTax: Object.fromEntries(lines.map(({ line, tax }) => [line, text(tax)])),
    },
    notes,
    stillDue: text(stillDue),
    balance: text(balance),
  }).toEqual(expected)
})
