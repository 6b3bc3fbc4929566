import { expect, test } from 'vitest'
import { type Money, plus } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { comparePlans } from './compare-plans.ts'

type Input = {
  readonly currency: string
  readonly plans: { readonly billed: PlanVersion; readonly wouldBe: PlanVersion }
  readonly customers: readonly { readonly customer: string; readonly usage: Readonly<Record<string, string>> }[]
}

test.each(casesOf<Input, object>('whatIf'))('$id', ({ input, expected }) => {
  const { currency, text } = moneyOf(input.currency)
  const { billed, wouldBe } = input.plans
  const rows = input.customers.map(({ customer, usage }) => {
    const quantities = new Map(Object.entries(usage).map(([feature, quantity]) => [feature, parseQuantity(quantity) ?? -1n]))
    return { customer, ...comparePlans(currency, billed, wouldBe, quantities) }
  })
  const shown = ({ billed: was, wouldBe: would, difference }: { billed: Money; wouldBe: Money; difference: Money }) => {
    return { billed: text(was), wouldBe: text(would), difference: text(difference) }
  }
  const totals = rows.reduce((left, row) => ({
    billed: plus(left.billed, row.billed),
    wouldBe: plus(left.wouldBe, row.wouldBe),
    difference: plus(left.difference, row.difference),
    customer: '',
  }))
  expect({ customers: rows.map((row) => ({ customer: row.customer, ...shown(row) })), totals: shown(totals) }).toEqual(expected)
})
