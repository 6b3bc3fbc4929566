import { expect, test } from 'vitest'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { type Money, minus, roundMoney, sum } from '../../domain/billing/money.ts'
import type { Price } from '../../domain/catalog/price.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import type { FeatureKey } from '../../domain/identity.ts'
import { rate } from '../../rating/rate.ts'
import { casesOf, instant, moneyOf, periodOf } from '../../test/support/billing/billing-vectors.ts'
import { burn, segmentsOf } from './burn.ts'
import { expire } from './expiry.ts'

type Input = {
  readonly currency: string
  readonly period: [string, string]
  readonly credits: readonly {
    id: string
    amount: string
    effectiveAt: string
    expiresAt?: string
    createdAt?: string
    priority?: number
    paid?: string
    features?: readonly FeatureKey[]
  }[]
  readonly lines: readonly { feature: FeatureKey; price: Price; usage: readonly { at: string; quantity: string }[] }[]
}

test.each(casesOf<Input, object>('creditBurn'))('$id', ({ input, expected }) => {
  const { currency, parse, text } = moneyOf(input.currency)
  const nothing = 0n as Money
  const period = periodOf(input.period)
  const credits = input.credits.map((credit): Credit => {
    const { id, priority = 100, features } = credit
    return {
      ...{ id, priority, amount: parse(credit.amount), paid: parse(credit.paid ?? '0') },
      effectiveAtMs: instant(credit.effectiveAt),
      expiresAtMs: credit.expiresAt === undefined ? null : instant(credit.expiresAt),
      createdAtMs: instant(credit.createdAt ?? credit.effectiveAt),
      appliesTo: { kinds: null, features: features ?? null },
      ...{ burned: nothing, expired: nothing, voided: nothing },
    }
  })
  const segments = segmentsOf(credits, period)
  const lines = input.lines.map(({ feature, price, usage }) => {
    const upTo = (endMs: number) => {
      const quantities = usage.filter(({ at }) => instant(at) < endMs).map(({ quantity }) => parseQuantity(quantity) ?? -1n)
      return roundMoney(
        currency,
        rate(
          price,
          quantities.reduce((left, right) => left + right, 0n),
        ).exact,
      )
    }
    const costs = segments.map(({ startMs, endMs }) => ({ atMs: startMs, amount: minus(upTo(endMs), upTo(startMs)) }))
    return { kind: 'usage' as const, feature, costs, unpaid: nothing, burns: [] }
  })
  const burned = burn(credits, lines)
  const after = expire(burned.credits, period.endMs, 'test').credits
  const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
  const cost = sum(lines.flatMap(({ costs }) => costs.map(({ amount }) => amount)))
  const paid = sum(after.map((credit) => credit.burned))
  expect({
    segments: segments.map(({ startMs, endMs }, index) => ({
      from: iso(startMs),
      to: iso(endMs),
      cost: Object.fromEntries(lines.map(({ feature, costs }) => [feature, text(costs[index]?.amount ?? nothing)])),
      burned: Object.fromEntries([...(burned.segments[index]?.burned ?? [])].map(([id, amount]) => [id, text(amount)])),
    })),
    credits: Object.fromEntries(
      after.map((credit) => [credit.id, { burned: text(credit.burned), expired: text(credit.expired), left: text(leftOf(credit)) }]),
    ),
    cost: text(cost),
    paidByCredits: text(paid),
    due: text(minus(cost, paid)),
  }).toEqual(expected)
})
