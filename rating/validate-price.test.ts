import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isRefusal } from '../domain/refusal.ts'
import { refusalAnswer } from '../schemas/http/refusal-answer.ts'
import { validatePrice } from './validate-price.ts'

const tiered = (...tiers: unknown[]) => ({ model: 'tiered', tiers })
const open = { upTo: null, unitAmount: '1' }

describe('what is let through is normalised to shortest decimal strings', () => {
  test.each<{ input: unknown; price: unknown }>([
    { input: { model: 'flat', unitAmount: 2.5, per: 1_000_000 }, price: { model: 'flat', unitAmount: '2.5', per: '1000000' } },
    { input: { model: 'flat', unitAmount: '2.50' }, price: { model: 'flat', unitAmount: '2.5' } },
    { input: { model: 'flat', unitAmount: 1e-12 }, price: { model: 'flat', unitAmount: '0.000000000001' } },
    { input: { model: 'flat', unitAmount: 0 }, price: { model: 'flat', unitAmount: '0' } },
    {
      input: { model: 'package', amount: '5.00', packageSize: 100, freeUnits: 0, flatAtZero: true },
      price: { model: 'package', amount: '5', packageSize: '100', freeUnits: '0', flatAtZero: true },
    },
    {
      input: tiered({ upTo: 100, unitAmount: 0.1 }, { upTo: '200.0', flatAmount: 5 }, { upTo: null }),
      price: tiered({ upTo: '100', unitAmount: '0.1' }, { upTo: '200', flatAmount: '5' }, { upTo: null }),
    },
    {
      input: { model: 'stairstep', flatAtZero: false, tiers: [{ upTo: null, flatAmount: '5' }] },
      price: { model: 'stairstep', flatAtZero: false, tiers: [{ upTo: null, flatAmount: '5' }] },
    },
  ])('$input', ({ input, price }) => {
    expect(validatePrice(input)).toEqual(price)
  })

  test('100 tiers', () => {
    const tiers = Array.from({ length: 99 }, (_, index) => ({ upTo: index + 1, unitAmount: 1 }))
    expect(isRefusal(validatePrice(tiered(...tiers, open)))).toBe(false)
  })
})

describe('what is refused names the field, the value and the limit', () => {
  test.each<{ input: unknown; errors: [field: string, code: string, says: string][] }>([
    { input: null, errors: [['price', 'invalid_type', 'was null']] },
    { input: [], errors: [['price', 'invalid_type', 'was []']] },
    { input: {}, errors: [['price.model', 'unknown_model', 'flat, package, tiered, volume, stairstep, was missing']] },
    { input: { model: 'cubic' }, errors: [['price.model', 'unknown_model', 'was "cubic"']] },
    { input: { model: 'flat' }, errors: [['price.unitAmount', 'missing', 'is missing']] },
    { input: { model: 'flat', unitAmount: null }, errors: [['price.unitAmount', 'not_exact_decimal', 'was null']] },
    { input: { model: 'flat', unitAmount: '1e3' }, errors: [['price.unitAmount', 'not_exact_decimal', '12 fractional digits, was "1e3"']] },
    { input: { model: 'flat', unitAmount: 0.1 + 0.2 }, errors: [['price.unitAmount', 'not_exact_decimal', 'was 0.30000000000000004']] },
    {
      input: { model: 'flat', unitAmount: '0.0000000000001' },
      errors: [['price.unitAmount', 'not_exact_decimal', '12 fractional digits']],
    },
    { input: { model: 'flat', unitAmount: '1000000000000000' }, errors: [['price.unitAmount', 'not_exact_decimal', 'below 10^15']] },
    { input: { model: 'flat', unitAmount: 1e15 }, errors: [['price.unitAmount', 'not_exact_decimal', 'below 10^15']] },
    { input: { model: 'flat', unitAmount: '-1' }, errors: [['price.unitAmount', 'negative', 'was "-1"']] },
    { input: { model: 'flat', unitAmount: '1', per: 0 }, errors: [['price.per', 'not_positive', 'was 0']] },
    { input: { model: 'flat', unitAmount: '1', per: '-5' }, errors: [['price.per', 'not_positive', 'was "-5"']] },
    { input: { model: 'flat', unitAmount: '1', per: '' }, errors: [['price.per', 'not_exact_decimal', 'was ""']] },
    {
      input: { model: 'flat', unitAmuont: '1' },
      errors: [
        ['price.unitAmuont', 'unknown_field', 'none of model, unitAmount, per'],
        ['price.unitAmount', 'missing', 'is missing'],
      ],
    },
    { input: { model: 'package', amount: '1', packageSize: '0' }, errors: [['price.packageSize', 'not_positive', 'was "0"']] },
    { input: { model: 'package', amount: '1', packageSize: '-1' }, errors: [['price.packageSize', 'not_positive', 'was "-1"']] },
    { input: { model: 'package', amount: '1', packageSize: '1', freeUnits: -1 }, errors: [['price.freeUnits', 'negative', 'was -1']] },
    {
      input: { model: 'package', amount: '-1' },
      errors: [
        ['price.amount', 'negative', 'was "-1"'],
        ['price.packageSize', 'missing', 'is missing'],
      ],
    },
    { input: { ...tiered(open), flatAtZero: 'yes' }, errors: [['price.flatAtZero', 'invalid_type', 'was "yes"']] },
    { input: { model: 'tiered' }, errors: [['price.tiers', 'invalid_type', 'was missing']] },
    { input: tiered(), errors: [['price.tiers', 'no_tiers', 'holds 0']] },
    { input: tiered(...Array(101).fill(open)), errors: [['price.tiers', 'too_many_tiers', '1 to 100 tiers, holds 101']] },
    { input: tiered('x'), errors: [['price.tiers[0]', 'invalid_type', 'was "x"']] },
    { input: tiered({ unitAmount: '1' }), errors: [['price.tiers[0].upTo', 'missing', 'is missing']] },
    { input: tiered({ upTo: '0', unitAmount: '1' }, open), errors: [['price.tiers[0].upTo', 'not_positive', 'was "0"']] },
    { input: tiered({ upTo: '10', unitAmount: '-1' }, open), errors: [['price.tiers[0].unitAmount', 'negative', 'was "-1"']] },
    { input: tiered({ upTo: '10', flatAmount: '-1' }, open), errors: [['price.tiers[0].flatAmount', 'negative', 'was "-1"']] },
    {
      input: tiered({ upTo: '100' }, { upTo: '50' }, open),
      errors: [['price.tiers[1].upTo', 'tier_out_of_order', "above '100' where tiers[0] ends, was '50'"]],
    },
    {
      input: tiered({ upTo: '100' }, { upTo: '100.0' }, open),
      errors: [['price.tiers[1].upTo', 'tier_overlap', "above '100' where tiers[0] ends, was '100'"]],
    },
    { input: tiered({ upTo: '100' }, { upTo: '200' }), errors: [['price.tiers[1].upTo', 'last_tier_not_open', "was '200'"]] },
    { input: tiered(open, { upTo: '200' }, open), errors: [['price.tiers[0].upTo', 'open_tier_not_last', 'is null']] },
    {
      input: tiered({ upTo: '100' }, { upTo: '50' }),
      errors: [
        ['price.tiers[1].upTo', 'last_tier_not_open', "was '50'"],
        ['price.tiers[1].upTo', 'tier_out_of_order', "was '50'"],
      ],
    },
    {
      input: { model: 'stairstep', tiers: [{ upTo: null, unitAmount: '1' }] },
      errors: [['price.tiers[0].flatAmount', 'missing', 'is missing']],
    },
    {
      input: { model: 'volume', per: '0', tiers: [{ upTo: null, price: '1' }] },
      errors: [
        ['price.per', 'not_positive', 'was "0"'],
        ['price.tiers[0].price', 'unknown_field', 'none of upTo, unitAmount, flatAmount'],
      ],
    },
  ])('$input', ({ input, errors }) => {
    const refusal = validatePrice(input)
    expect(refusal).toMatchObject({ kind: 'refusal', code: 'invalid_price' })
    const answer = isRefusal(refusal) ? refusalAnswer(refusal) : null
    expect(answer?.status).toBe(400)
    const found = answer?.errors ?? []
    expect(found.map(({ field, code }) => [field, code])).toEqual(errors.map(([field, code]) => [field, code]))
    for (const [index, [, , says]] of errors.entries()) expect(found[index]?.detail).toContain(says)
  })

  test('in the place where the price stands', () => {
    const refusal = validatePrice({ model: 'flat' }, 'charges[2].price')
    expect(isRefusal(refusal) && refusalAnswer(refusal)).toMatchObject({
      detail: 'The price cannot be used: charges[2].price.unitAmount is missing.',
      errors: [{ field: 'charges[2].price.unitAmount' }],
    })
  })

  test('whatever it is, in an answer of bounded size', () => {
    const hostile = fc.oneof(
      fc.anything(),
      fc.record({ model: fc.constantFrom('flat', 'package', 'tiered', 'volume', 'stairstep'), tiers: fc.anything() }),
    )
    fc.assert(
      fc.property(hostile, (input) => {
        const outcome = validatePrice(input)
        expect(isRefusal(outcome) ? (outcome.errors ?? []).length : 1).toBeGreaterThan(0)
      }),
    )
    const long = validatePrice({ model: 'x'.repeat(100_000), ['y'.repeat(100_000)]: 1 })
    expect(JSON.stringify(long).length).toBeLessThan(1000)
  })
})
