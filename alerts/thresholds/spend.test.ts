import { expect, test } from 'vitest'
import { roundMoney } from '../../domain/billing/money.ts'
import type { LimitType } from '../../domain/catalog/plan.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { formatRational } from '../../domain/rational.ts'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { alertsReached, decideSpend, spendOf } from './spend.ts'

type Input = {
  readonly currency: string
  readonly cap: { readonly amount: string; readonly limitType: LimitType; readonly alerts: readonly string[] }
  readonly charges: readonly { readonly feature: string; readonly price: Price }[]
  readonly steps: readonly { readonly do: 'use' | 'ask'; readonly feature: string; readonly quantity: string }[]
}

test.each(casesOf<Input, { steps: readonly object[] }>('spend'))('$id', ({ input, expected }) => {
  const { currency, parse, text } = moneyOf(input.currency)
  const cap = { ...input.cap, amount: parse(input.cap.amount), alerts: input.cap.alerts.map(BigInt) }
  const charges = input.charges.map(({ feature, price }) => ({ key: feature, price }))
  let usage = new Map<string, bigint>()
  const steps = input.steps.map(({ do: what, feature, quantity }) => {
    const after = new Map(usage).set(feature, (usage.get(feature) ?? 0n) + (parseQuantity(quantity) ?? -1n))
    const spent = spendOf(charges, after)
    if (what === 'ask') return decideSpend(cap, currency, spent)
    const alerts = alertsReached(cap, currency, spendOf(charges, usage), spent)
    usage = after
    return { spent: text(roundMoney(currency, spent)), exact: formatRational(spent), alerts: alerts.map(String) }
  })
  expect(steps).toEqual(expected.steps)
})
