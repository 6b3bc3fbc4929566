import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { PRICE_MODELS } from '../domain/catalog/price.ts'
import { parseQuantity } from '../domain/decimal.ts'
import { formatMoney } from '../domain/money.ts'
import { formatRational, roundHalfUp } from '../domain/rational.ts'
import { orThrow } from '../domain/refusal.ts'
import { rate } from './rate.ts'
import { validatePrice } from './validate-price.ts'

const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8')
/** JSON blocks and the rows of the table below each, without header and rule. */
const examples = [...readme.matchAll(/```json\n([^`]+)```\n\n((?:\|.*\n)+)/g)].map(([, json = '', table = '']) => ({
  price: orThrow(validatePrice(JSON.parse(json))),
  rows: table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .map(([, quantity = '', exact, amount]) => ({ quantity, exact, amount })),
}))

test('the README works an example for each model', () => {
  expect(examples.map(({ price }) => price.model)).toEqual(PRICE_MODELS)
})

describe.each(examples)('$price.model', ({ price, rows }) => {
  test.each(rows)('$quantity costs $exact, so $amount', ({ quantity, exact, amount }) => {
    const rated = rate(price, parseQuantity(quantity) ?? -1n)
    expect({ exact: formatRational(rated.exact), amount: formatMoney(roundHalfUp(rated.exact, 2), 2) }).toEqual({ exact, amount })
  })
})
