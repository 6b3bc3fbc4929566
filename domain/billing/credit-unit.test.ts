import { expect, test } from 'vitest'
import { orThrow } from '../refusal.ts'
import { moneyOfUnits, unitsOf } from './credit-unit.ts'
import { currencyOf, type Money } from './money.ts'

const usd = orThrow(currencyOf('USD'))
const unit = (amount: string) => ({ name: 'token', amount, currency: 'USD' })

test.each([
  { amount: '0.01', units: '500', money: 500n },
  { amount: '0.001', units: '500', money: 50n },
  { amount: '0.001', units: '505', money: null },
  { amount: '0.03', units: 2.5, money: null },
  { amount: '2.5', units: '0.4', money: 100n },
  { amount: '1', units: 'NaN', money: null },
])('$units units of $amount are $money cents', ({ amount, units, money }) => {
  expect(moneyOfUnits(usd, unit(amount), units)).toBe(money)
  if (money !== null) expect(unitsOf(usd, unit(amount), money as Money<'USD'>)).toBe(String(units))
})

test('an amount that is no whole number of units is shown to its end, or to 30 digits', () => {
  expect(unitsOf(usd, unit('0.04'), 1n as Money<'USD'>)).toBe('0.25')
  expect(unitsOf(usd, unit('0.03'), 1n as Money<'USD'>)).toBe(`0.${'3'.repeat(30)}`)
})
