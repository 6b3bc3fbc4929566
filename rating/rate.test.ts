import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Price } from '../domain/catalog/price.ts'
import { formatQuantity, NANO, parseQuantity } from '../domain/decimal.ts'
import { add, formatRational, rational, ZERO } from '../domain/rational.ts'
import { orThrow } from '../domain/refusal.ts'
import { rate } from './rate.ts'
import { validatePrice } from './validate-price.ts'

const nano = (quantity: string) => parseQuantity(quantity) ?? 0n
const exactOf = (price: Price, quantity: string) => formatRational(rate(price, nano(quantity)).exact)

const graduated: Price = {
  model: 'tiered',
  per: '1000000',
  tiers: [
    { upTo: '100000', unitAmount: '0' },
    { upTo: '1000000', unitAmount: '3.00' },
    { upTo: '10000000', unitAmount: '2.40', flatAmount: '5.00' },
    { upTo: null, unitAmount: '1.101' },
  ],
}

describe('lines show how the sum came about', () => {
  test.each<{ title: string; price: Price; quantity: string; lines: unknown[] }>([
    {
      title: 'flat',
      price: { model: 'flat', unitAmount: '0.002' },
      quantity: '1.5',
      lines: [{ quantity: '1.5', unitAmount: '0.002', exact: '0.003' }],
    },
    {
      title: 'package, in packages',
      price: { model: 'package', amount: '5', packageSize: '100' },
      quantity: '201',
      lines: [{ quantity: '3', unitAmount: '5', exact: '15' }],
    },
    {
      title: 'tiered, each tier its part, its flat amount once',
      price: graduated,
      quantity: '10000001',
      lines: [
        { tier: 1, quantity: '100000', unitAmount: '0', exact: '0' },
        { tier: 2, quantity: '900000', unitAmount: '3.00', exact: '2.7' },
        { tier: 3, quantity: '9000000', unitAmount: '2.40', flatAmount: '5.00', exact: '26.6' },
        { tier: 4, quantity: '1', unitAmount: '1.101', exact: '0.000001101' },
      ],
    },
    {
      title: 'tiered, a bound belongs to the tier below',
      price: graduated,
      quantity: '1000000',
      lines: [
        { tier: 1, quantity: '100000', unitAmount: '0', exact: '0' },
        { tier: 2, quantity: '900000', unitAmount: '3.00', exact: '2.7' },
      ],
    },
    {
      title: 'volume, one line',
      price: { ...graduated, model: 'volume' },
      quantity: '2000000',
      lines: [{ tier: 3, quantity: '2000000', unitAmount: '2.40', flatAmount: '5.00', exact: '9.8' }],
    },
    {
      title: 'stairstep with a unit amount',
      price: { model: 'stairstep', tiers: [{ upTo: null, flatAmount: '10', unitAmount: '0.5' }] },
      quantity: '3',
      lines: [{ tier: 1, quantity: '3', unitAmount: '0.5', flatAmount: '10', exact: '11.5' }],
    },
  ])('$title', ({ price, quantity, lines }) => {
    expect(rate(price, nano(quantity)).lines).toEqual(lines)
  })
})

describe('zero usage', () => {
  const tiers = [
    { upTo: '10', flatAmount: '7', unitAmount: '1' },
    { upTo: null, flatAmount: '9' },
  ]
  test.each<{ price: Price; atZero: string; atOne: string }>([
    { price: { model: 'flat', unitAmount: '1' }, atZero: '0', atOne: '1' },
    { price: { model: 'package', amount: '5', packageSize: '10', freeUnits: '3' }, atZero: '0', atOne: '0' },
    { price: { model: 'package', amount: '5', packageSize: '10', freeUnits: '3', flatAtZero: true }, atZero: '5', atOne: '5' },
    { price: { model: 'tiered', tiers }, atZero: '0', atOne: '8' },
    { price: { model: 'tiered', tiers, flatAtZero: false }, atZero: '0', atOne: '8' },
    { price: { model: 'tiered', tiers, flatAtZero: true }, atZero: '7', atOne: '8' },
    { price: { model: 'volume', tiers, flatAtZero: true }, atZero: '7', atOne: '8' },
    { price: { model: 'stairstep', tiers }, atZero: '0', atOne: '8' },
    { price: { model: 'stairstep', tiers, flatAtZero: true }, atZero: '7', atOne: '8' },
  ])('of $price costs $atZero', ({ price, atZero, atOne }) => {
    expect([exactOf(price, '-5'), exactOf(price, '0'), exactOf(price, '1')]).toEqual([atZero, atZero, atOne])
    if (atZero === '0') expect(rate(price, 0n).lines).toEqual([])
  })
})

describe('exactness', () => {
  test.each<{ price: Price; quantity: string; exact: string }>([
    { price: { model: 'flat', unitAmount: '0.000000000001' }, quantity: '0.000000001', exact: '0.000000000000000000001' },
    { price: { model: 'flat', unitAmount: '1', per: '3' }, quantity: '1', exact: `0.${'3'.repeat(30)}` },
    { price: { model: 'flat', unitAmount: '2', per: '3' }, quantity: '1', exact: `0.${'6'.repeat(29)}7` },
    { price: { model: 'flat', unitAmount: '1', per: '3' }, quantity: '3', exact: '1' },
    { price: { model: 'flat', unitAmount: '1', per: '1024' }, quantity: '1', exact: '0.0009765625' },
    { price: { model: 'flat', unitAmount: '0.1', per: '0.5' }, quantity: '0.3', exact: '0.06' },
    {
      price: { model: 'flat', unitAmount: '999999999999999.999999999999' },
      quantity: '99999999999999999999.999999999',
      exact: '99999999999999999999999999899000000.000000000000000000001',
    },
  ])('$quantity at $price.unitAmount per $price.per is $exact', ({ price, quantity, exact }) => {
    expect(exactOf(price, quantity)).toBe(exact)
  })

  test('thirds of a cent in three tiers make a whole one: nothing is rounded on the way', () => {
    const third = (upTo: string | null) => ({ upTo, unitAmount: '0.01' })
    const price: Price = { model: 'tiered', per: '3', tiers: [third('1'), third('2'), third(null)] }
    expect(exactOf(price, '3')).toBe('0.01')
  })
})

const amounts = fc.bigInt({ min: 0n, max: 10n ** 15n }).map((value) => formatRational(rational(value, 10n ** 6n)))
const quantities = fc.bigInt({ min: 0n, max: 10_000n * NANO })
const tierLists = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 5 }),
    fc.infiniteStream(fc.record({ unitAmount: amounts, flatAmount: amounts })),
  )
  .map(([bounds, stream]) => {
    const upTos = [...bounds.sort((left, right) => left - right).map(String), null]
    return upTos.map((upTo) => ({ upTo, ...(stream.next().value as { unitAmount: string; flatAmount: string }) }))
  })
const pers = fc.constantFrom('1', '7', '1000', '0.25')

describe('every price', () => {
  test('tiered costs the sum of its units, priced one by one', () => {
    fc.assert(
      fc.property(tierLists, fc.integer({ min: 0, max: 80 }), pers, (tiers, units, per) => {
        let expected = ZERO
        const begun = new Set<number>()
        for (let unit = 1; unit <= units; unit++) {
          const index = tiers.findIndex(({ upTo }) => upTo === null || unit <= Number(upTo))
          const tier = tiers[index]
          if (tier === undefined) throw new Error('the last tier is open')
          expected = add(expected, rate({ model: 'flat', unitAmount: tier.unitAmount, per }, NANO).exact)
          if (!begun.has(index)) expected = add(expected, rate({ model: 'flat', unitAmount: tier.flatAmount }, NANO).exact)
          begun.add(index)
        }
        expect(rate({ model: 'tiered', tiers, per }, BigInt(units) * NANO).exact).toEqual(expected)
      }),
    )
  })

  test('tiered prices every unit once and never less for more', () => {
    fc.assert(
      fc.property(tierLists, quantities, quantities, (tiers, one, other) => {
        const [less, more] = one < other ? [one, other] : [other, one]
        const price: Price = { model: 'tiered', tiers }
        const rated = rate(price, more)
        expect(formatQuantity(rated.lines.reduce((sum, line) => sum + nano(line.quantity), 0n))).toBe(formatQuantity(more))
        const cheaper = rate(price, less).exact
        expect(cheaper.numerator * rated.exact.denominator).toBeLessThanOrEqual(rated.exact.numerator * cheaper.denominator)
      }),
    )
  })

  test('flat costs the same in parts as in one', () => {
    fc.assert(
      fc.property(amounts, pers, quantities, quantities, (unitAmount, per, one, other) => {
        const price: Price = { model: 'flat', unitAmount, per }
        expect(add(rate(price, one).exact, rate(price, other).exact)).toEqual(rate(price, one + other).exact)
      }),
    )
  })

  test('the lines add up to the whole', () => {
    fc.assert(
      fc.property(fc.constantFrom('tiered', 'volume', 'stairstep'), tierLists, quantities, (model, tiers, quantity) => {
        const rated = rate({ model, tiers }, quantity)
        const sum = rated.lines.reduce((total, line) => add(total, exactDecimal(line.exact)), ZERO)
        expect(sum).toEqual(rated.exact)
      }),
    )
  })

  test('rates the same after validation, which is stable', () => {
    fc.assert(
      fc.property(fc.constantFrom('tiered', 'volume', 'stairstep'), tierLists, quantities, (model, tiers, quantity) => {
        const price: Price = { model, tiers }
        const validated = orThrow(validatePrice(price))
        expect(orThrow(validatePrice(validated))).toEqual(validated)
        expect(rate(validated, quantity).exact).toEqual(rate(price, quantity).exact)
      }),
    )
  })
})

function exactDecimal(text: string) {
  const [integer = '', fraction = ''] = text.split('.')
  return rational(BigInt(integer + fraction), 10n ** BigInt(fraction.length))
}
