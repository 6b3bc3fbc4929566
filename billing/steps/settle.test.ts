import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Coupon } from '../../domain/billing/coupon.ts'
import type { Credit } from '../../domain/billing/credit.ts'
import { leftOf } from '../../domain/billing/credit.ts'
import type { LineKind } from '../../domain/billing/invoice.ts'
import { type Money, sum } from '../../domain/billing/money.ts'
import type { TaxRate } from '../../domain/billing/tax-rate.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import type { FeatureKey, InstantMs } from '../../domain/identity.ts'
import { casesOf, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { type PricedLine, type Purse, settle } from './settle.ts'

type Input = {
  readonly currency: string
  readonly lines: readonly { kind: LineKind; amount: string; feature?: FeatureKey; taxRates?: readonly string[] }[]
  readonly coupons?: readonly { id: string; percent?: string; amount?: string; features?: readonly FeatureKey[] }[]
  readonly credits?: readonly { id: string; amount: string }[]
  readonly taxRates?: readonly { key: string; percent: string; inclusive?: boolean }[]
  readonly balance?: string
}
type Expected = {
  readonly lines: readonly { id: string; discount: string; credits: string; net: string; tax: string }[]
  readonly burned?: Readonly<Record<string, string>>
  readonly taxes: readonly object[]
}

const NOW = 0 as InstantMs
const nothing = 0n as Money

function line(kind: LineKind, amount: Money, feature: FeatureKey | null, taxRates: readonly TaxRate[]): PricedLine {
  return {
    ...{ kind, feature, amount, taxRates, item: null, plan: null, planVersion: null, period: { startMs: NOW, endMs: NOW } },
    ...{
      quantityNano: null,
      exact: null,
      tiers: null,
      adjusts: null,
      billedBy: [],
      before: null,
      costs: [{ atMs: NOW, amount }],
      isShown: true,
    },
  }
}

function credit(id: string, amount: Money): Credit {
  return {
    ...{ id, amount, paid: nothing, priority: 100, effectiveAtMs: NOW, expiresAtMs: null, createdAtMs: NOW },
    ...{ appliesTo: { kinds: null, features: null }, burned: nothing, expired: nothing, voided: nothing },
  }
}

const percent = (text: string) => parseQuantity(text) ?? -1n

describe('from lines to what is due', () => {
  test.each(casesOf<Input, Expected>('totals'))('$id', ({ input, expected }) => {
    const { parse, text } = moneyOf(input.currency)
    const rates = (input.taxRates ?? []).map((rate) => {
      return { key: rate.key, name: rate.key, percentNano: percent(rate.percent), isInclusive: rate.inclusive ?? false }
    })
    const coupons = (input.coupons ?? []).map(({ id, features, ...coupon }): Coupon => {
      const reduction =
        coupon.percent === undefined
          ? { kind: 'amount' as const, amount: parse(coupon.amount ?? '') }
          : { kind: 'percent' as const, percentNano: percent(coupon.percent) }
      return { id, reduction, features: features ?? null, usesLeft: null }
    })
    const lines = input.lines.map(({ kind, amount, feature, taxRates }) =>
      line(kind, parse(amount), feature ?? null, taxRates === undefined ? rates : rates.filter(({ key }) => taxRates.includes(key))),
    )
    const credits = (input.credits ?? []).map(({ id, amount }) => credit(id, parse(amount)))
    const { totals, segments, balance } = settle(lines, { coupons, credits, balance: parse(input.balance ?? '0') })
    const total = totals.document === 'creditNote' ? (-totals.total as Money) : totals.total
    expect({
      lines: totals.lines.map(({ line: id, discount, credits: paid, net, tax }) => {
        return { id, discount: text(discount), credits: text(paid), net: text(net), tax: text(tax) }
      }),
      subtotal: text(totals.subtotal),
      discount: text(totals.discount),
      credits: text(totals.credits),
      ...(expected.burned && {
        burned: Object.fromEntries(segments.flatMap(({ burned }) => [...burned].map(([id, amount]) => [id, text(amount)]))),
      }),
      taxes: totals.taxes.map(({ rate, base, amount }) => ({ key: rate.key, base: text(base), amount: text(amount) })),
      total: text(total),
      document: totals.document,
      balanceApplied: text(totals.balanceApplied),
      due: text(totals.due),
      balanceAfter: text(balance),
    }).toEqual(expected)
  })
})

describe('whatever is on a document', () => {
  const amount = fc.bigInt(-50_000n, 50_000n).map((minorUnits) => minorUnits as Money)
  const feature = fc.constantFrom('a', 'b', null) as fc.Arbitrary<FeatureKey | null>
  const rate = fc.record({ key: fc.constantFrom('x', 'y'), percentNano: fc.constantFrom(0n, 8_875_000_000n, 20_000_000_000n) })
  const taxRates = fc
    .uniqueArray(rate, { selector: ({ key }) => key, maxLength: 2 })
    .chain((rates) => fc.boolean().map((isInclusive) => rates.map((each) => ({ ...each, name: each.key, isInclusive }))))
  const lines = fc.array(
    fc
      .tuple(fc.constantFrom<LineKind>('base', 'usage', 'trueUp', 'unused', 'adjustment'), amount, feature, taxRates)
      .map(([kind, minorUnits, of, rates]) => line(kind, minorUnits, of, rates)),
    { maxLength: 8 },
  )
  const coupons = fc.array(
    fc
      .record({
        reduction: fc.oneof(
          fc.bigInt(1n, 100_000_000_000n).map((percentNano) => ({ kind: 'percent' as const, percentNano })),
          fc.bigInt(1n, 20_000n).map((minorUnits) => ({ kind: 'amount' as const, amount: minorUnits as Money })),
        ),
        features: fc.option(fc.constant(['a' as FeatureKey]), { nil: null }),
      })
      .map((each) => ({ ...each, id: 'c', usesLeft: null })),
    { maxLength: 3 },
  )
  const credits = fc
    .array(fc.bigInt(1n, 40_000n), { maxLength: 3 })
    .map((amounts) => amounts.map((minorUnits, index) => credit(`w${index}`, minorUnits as Money)))
  const purse: fc.Arbitrary<Purse> = fc.record({
    coupons,
    credits,
    balance: fc.bigInt(0n, 30_000n).map((minorUnits) => minorUnits as Money),
  })

  test('every column adds up, nobody pays more than a line, and no credit goes below zero', () => {
    fc.assert(
      fc.property(lines, purse, (priced, given) => {
        const { totals, credits: after, balance } = settle(priced, given)
        expect(sum(totals.lines.map((each) => each.discount))).toBe(totals.discount)
        expect(sum(totals.lines.map((each) => each.net))).toBe(totals.net)
        expect(totals.subtotal - totals.discount - totals.credits).toBe(totals.net)
        expect(sum(totals.lines.map((each) => each.tax))).toBe(totals.tax)
        expect(sum(totals.taxes.map((each) => each.amount))).toBe(totals.tax)
        for (const each of totals.lines) {
          expect(each.amount - each.discount - each.credits).toBe(each.net)
          if (each.amount >= 0n) expect(each.net >= 0n && each.discount >= 0n && each.credits >= 0n).toBe(true)
        }
        for (const each of after) expect(leftOf(each) >= 0n && each.burned >= 0n).toBe(true)
        expect(sum(after.map(({ burned }) => burned))).toBe(totals.credits)
        expect(totals.due >= 0n).toBe(true)
        expect(balance - given.balance).toBe(totals.due - totals.total)
      }),
    )
  })
})
