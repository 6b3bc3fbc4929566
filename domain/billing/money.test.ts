import { expect, test } from 'vitest'
import { isRefusal, orThrow } from '../refusal.ts'
import { currencyOf, money, parseMoney, plus, sum } from './money.ts'

const USD = orThrow(currencyOf('USD'))
const EUR = orThrow(currencyOf('EUR'))

test('money of two currencies is not added up', () => {
  const dollars = money(USD, 100n)
  const euros = money(EUR, 100n)
  expect(plus(dollars, dollars)).toBe(200n)
  // @ts-expect-error: the compiler refuses it, and that is what this test is about.
  plus(dollars, euros)
  // @ts-expect-error: nor in a list.
  sum([dollars, euros])
})

test.each([
  { input: '0.001', code: 'amount_too_fine' },
  { input: 'NaN', code: 'amount_too_fine' },
  { input: '1000000000000000', code: 'amount_too_fine' },
])('$input dollars are refused', ({ input, code }) => {
  const refused = parseMoney(USD, input)
  expect(isRefusal(refused) && refused.code).toBe(code)
})
