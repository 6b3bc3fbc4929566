import { expect, test } from 'vitest'
import { type Money, roundMoney } from '../domain/billing/money.ts'
import { shareOfTime } from '../domain/billing/share-of-time.ts'
import type { Price } from '../domain/catalog/price.ts'
import { parseQuantity } from '../domain/decimal.ts'
import { parseAmount } from '../domain/money.ts'
import { formatRational, rational, roundHalfUp } from '../domain/rational.ts'
import { casesOf, moneyOf, periodOf } from '../test/support/billing/billing-vectors.ts'
import { trueUp } from './minimum.ts'
import { ratePart } from './rate-part.ts'

type PartInput = {
  readonly currency: string
  readonly price: Price
  readonly quantity: string
  readonly fraction: readonly [string, string]
  readonly tiers: 'whole' | 'scaled'
}

test.each(casesOf<PartInput, { exact: string; amount: string }>('partialTiers'))('$id', ({ input, expected }) => {
  const { currency, text } = moneyOf(input.currency)
  const [part, whole] = input.fraction
  const { exact } = ratePart(input.price, parseQuantity(input.quantity) ?? -1n, rational(BigInt(part), BigInt(whole)), input.tiers)
  expect({ exact: formatRational(exact), amount: text(roundMoney(currency, exact)) }).toEqual(expected)
})

type MinimumInput = {
  readonly currency: string
  readonly minimum: string
  readonly counted: readonly string[]
  readonly cell?: [string, string]
  readonly service?: [string, string]
}

test.each(casesOf<MinimumInput, object>('minimum'))('$id', ({ input, expected }) => {
  const { currency, parse, text } = moneyOf(input.currency)
  const { cell, service } = input
  const full = parse(input.minimum)
  const minimum = cell === undefined || service === undefined ? full : shareOfTime(full, periodOf(cell), periodOf(service))
  const counted = input.counted.map((line) => roundHalfUp(rational(parseAmount(line) ?? -1n, 10n ** 12n), currency.digits) as Money)
  expect({
    minimum: text(minimum),
    counted: text(counted.reduce((left, right) => (left + right) as Money, 0n as Money)),
    trueUp: text(trueUp(minimum, counted)),
  }).toEqual(expected)
})
