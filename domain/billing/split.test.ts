import fc from 'fast-check'
import { expect, test } from 'vitest'
import { casesOf } from '../../test/support/billing/billing-vectors.ts'
import { parseDecimal } from '../decimal.ts'
import { formatMoney } from '../money.ts'
import { type Money, sum } from './money.ts'
import { split } from './split.ts'

type Input = { readonly total: string; readonly digits: number; readonly weights: Readonly<Record<string, string>> }

test.each(casesOf<Input, { shares: Readonly<Record<string, string>> }>('allocation'))('$id', ({ input, expected }) => {
  const total = parseDecimal(input.total, 15, input.digits) as Money
  const keys = Object.keys(input.weights)
  const shares = split(
    total,
    keys.map((key) => BigInt(input.weights[key] ?? '0')),
  )
  expect(Object.fromEntries(shares.map((share, index) => [keys[index], formatMoney(share, input.digits)]))).toEqual(expected.shares)
})

const weights = fc.array(fc.bigInt(0n, 1_000_000n), { minLength: 1, maxLength: 20 }).filter((all) => all.some((weight) => weight > 0n))

test('shares add up to the amount, each less than a minor unit from its exact share, and mirror it', () => {
  fc.assert(
    fc.property(fc.bigInt(-1_000_000n, 1_000_000n), weights, (amount, all) => {
      const shares = split(amount as Money, all)
      const whole = all.reduce((left, right) => left + right, 0n)
      expect(sum(shares)).toBe(amount)
      for (const [index, share] of shares.entries()) {
        const off = share * whole - amount * (all[index] ?? 0n)
        expect(off < 0n ? -off : off).toBeLessThan(whole)
      }
      expect(split(-amount as Money, all)).toEqual(shares.map((share) => -share))
    }),
  )
})
