import { expect, test } from 'vitest'
import { type Money, minus, plus } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { upcomingOf } from '../../test/support/billing/upcoming.ts'

type Input = {
  readonly currency: string
  readonly plans: { readonly billed: PlanVersion; readonly wouldBe: PlanVersion }
  readonly customers: readonly { readonly customer: string; readonly usage: Readonly<Record<string, string>> }[]
}

test.each(casesOf<Input, object>('whatIf'))('$id', ({ input, expected }) => {
  const { parse, text } = moneyOf(input.currency)
  const costOf = (plan: PlanVersion, usage: ReadonlyMap<string, bigint>) => {
    const charges = plan.charges.map((charge) => ({ ...charge, filter: {} }))
    const byCharge = new Map(charges.map(({ key, feature }) => [key, usage.get(feature) ?? 0n]))
    return parse(upcomingOf({ ...plan, charges, currency: input.currency }, byCharge).total)
  }
  const { billed, wouldBe } = input.plans
  const rows = input.customers.map(({ customer, usage }) => {
    const quantities = new Map(Object.entries(usage).map(([feature, quantity]) => [feature, parseQuantity(quantity) ?? -1n]))
    const [was, would] = [costOf(billed, quantities), costOf(wouldBe, quantities)]
    return { customer, billed: was, wouldBe: would, difference: minus(would, was) }
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
