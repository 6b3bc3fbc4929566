import { describe, expect, test } from 'vitest'
import type { Credit } from '../../domain/billing/credit.ts'
import { leftOf } from '../../domain/billing/credit.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import type { Money } from '../../domain/billing/money.ts'
import { formatQuantity, NANO } from '../../domain/decimal.ts'
import type { FeatureKey, InstantMs, SubscriptionId } from '../../domain/identity.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { createBillingStory, type StoryOptions, type StoryPlan } from '../../test/support/billing/billing-story.ts'
import { instant, moneyOf } from '../../test/support/billing/billing-vectors.ts'
import { decideInvoice, decideNext } from './decide-invoice.ts'

const { text, parse } = moneyOf('USD')
const on = (date: string) => instant(date.length === 10 ? `${date}T00:00:00Z` : date)
const after = (date: string) => (on(date) + 2 * 3_600_000) as InstantMs
const perUnit = (unitAmount: string) => [{ key: 'u', feature: 'u', price: { model: 'flat' as const, unitAmount } }]
const pro: StoryPlan = { interval: 'month', baseFee: '30.00', charges: perUnit('1') }

function storyOf(plans: Readonly<Record<string, StoryPlan>>, more: Partial<StoryOptions> = {}) {
  const [plan = ''] = Object.keys(plans)
  const story = createBillingStory({ currency: 'USD', plans, plan, startMs: on('2026-04-01'), ...more })
  const use = (date: string, units: number) => {
    story.use({ feature: 'u', occurredAtMs: on(date), quantityNano: BigInt(units) * NANO })
  }
  return { ...story, use }
}

/** `kind plan|item amount [discount] [credits]` of each line. */
function shown({ lines }: InvoiceDocument) {
  return lines.map(({ kind, item, plan, amount, discount, credits }) => {
    const extra = [discount !== 0n && `-${text(discount)}`, credits !== 0n && `c${text(credits)}`].filter((each) => each !== false)
    return [kind, item ?? plan, text(amount), ...extra].join(' ')
  })
}

function credit(id: string, amount: string, more: Partial<Credit> = {}): Credit {
  const nothing = 0n as Money
  return {
    ...{ id, amount: parse(amount), paid: nothing, priority: 100, effectiveAtMs: on('2026-01-01'), expiresAtMs: null },
    ...{ createdAtMs: on('2026-01-01'), appliesTo: { kinds: null, features: null }, burned: nothing, expired: nothing, voided: nothing },
    ...more,
  }
}

describe('base fees', () => {
  test('in arrears they come with the usage that they go with', () => {
    const story = storyOf({ p: { ...pro, baseFeeTiming: 'arrears' } })
    story.run(on('2026-04-01'))
    story.cancel(on('2026-05-11'))
    story.run(after('2026-05-11'))
    expect(story.documents().map(shown)).toEqual([['base p 30.00'], ['base p 9.68']])
  })

  test('not prorated nothing comes back, and a plan that is left and joined again is not paid twice', () => {
    const none = { proration: { baseFee: 'none', tiers: 'whole' } } as const
    const story = storyOf({ p: { ...pro, ...none }, q: { ...pro, baseFee: '90.00', ...none } })
    story.run(on('2026-04-01'))
    story.change('q', on('2026-04-10'))
    story.change('p', on('2026-04-20'))
    story.run(after('2026-05-01'))
    expect(story.documents().map(shown)).toEqual([['base p 30.00'], ['base q 90.00', 'base p 30.00']])
  })

  test('a change that is wanted on an invoice now is one at once, without usage, and not again later', () => {
    const story = storyOf({ p: pro, q: { ...pro, baseFee: '90.00' } })
    story.run(on('2026-04-01'))
    story.use('2026-04-02', 5)
    story.change('q', on('2026-04-16'), 'now', { invoiceNow: true })
    story.run(on('2026-04-16'))
    story.run(on('2026-04-17'))
    story.run(after('2026-05-01'))
    expect(story.documents().map((each) => [each.kind, ...shown(each)])).toEqual([
      ['opening', 'base p 30.00'],
      ['change', 'base q 45.00', 'unused p -15.00'],
      ['cycle', 'base q 90.00', 'usage u 5.00'],
    ])
  })

  test('a reset anchor closes the period at once and begins a whole one', () => {
    const story = storyOf({ p: pro, q: { ...pro, baseFee: '90.00' } })
    story.run(on('2026-04-01'))
    story.change('q', on('2026-04-16'), 'now', { anchorMs: on('2026-04-16') })
    story.run(after('2026-04-16'))
    expect(shown(story.documents()[1] as InvoiceDocument)).toEqual(['base q 90.00', 'unused p -15.00'])
    expect(new Date(story.state().cursor.baseBilledToMs ?? 0).toISOString()).toBe('2026-05-16T00:00:00.000Z')
  })

  test('a change to another interval that is wanted now has its fees at once, and the usage that it closes after the grace', () => {
    const story = storyOf({ p: pro, year: { ...pro, interval: 'year', baseFee: '365.00' } })
    story.run(on('2026-04-01'))
    story.use('2026-04-02', 5)
    story.change('year', on('2026-04-16'), 'now', { invoiceNow: true })
    story.run(on('2026-04-16'))
    story.run(after('2026-04-16'))
    story.run(after('2026-05-01'))
    expect(story.documents().map((each) => [each.kind, ...shown(each)])).toEqual([
      ['opening', 'base p 30.00'],
      ['change', 'base year 350.00', 'unused p -15.00'],
      ['cycle', 'usage u 5.00'],
    ])
  })

  test('an end that is called off asks for the rest of the period only', () => {
    const story = storyOf({ p: pro })
    story.cancel(on('2026-04-16'))
    story.run(on('2026-04-16'))
    story.uncancel()
    story.run(after('2026-05-01'))
    expect(story.documents().map(shown)).toEqual([['base p 15.00'], ['base p 15.00', 'base p 30.00']])
  })

  test('a plan of one period asks for its fee once, and for its usage at its end', () => {
    const story = storyOf({ p: { ...pro, interval: 'once' } })
    story.run(on('2026-09-01'))
    story.use('2026-10-01', 7)
    story.cancel(on('2026-11-01'))
    story.run(after('2026-11-01'))
    expect(story.documents().map(shown)).toEqual([['base p 30.00'], ['usage u 7.00']])
  })
})

describe('usage', () => {
  test('a threshold bills what is so far, and the period bills the rest', () => {
    const story = storyOf({ p: { ...pro, baseFee: null, thresholdAmount: '200', minimum: { amount: '500' } } })
    story.use('2026-04-02', 199)
    expect(story.run(on('2026-04-03')).map(({ document }) => document)).toEqual([null])
    story.use('2026-04-04', 1)
    story.run(on('2026-04-05'))
    story.run(on('2026-04-05'))
    story.use('2026-04-06', 50)
    story.run(after('2026-05-01'))
    expect(story.documents().map((each) => [each.kind, ...shown(each)])).toEqual([
      ['threshold', 'usage u 200.00'],
      ['cycle', 'trueUp minimum 250.00', 'adjustment u 50.00'],
    ])
  })

  test('a threshold of nothing bills what there is and no more', () => {
    const story = storyOf({ p: { ...pro, baseFee: null, thresholdAmount: '0' } })
    story.run(on('2026-04-01'))
    expect(story.run(on('2026-04-02'))).toEqual([])
    story.use('2026-04-02', 1)
    expect(story.run(on('2026-04-03'))).toHaveLength(1)
  })

  test('a minimum of a charge is trued up, and counts towards that of the plan', () => {
    const charges = [{ ...perUnit('1')[0], key: 'u', feature: 'u', price: { model: 'flat' as const, unitAmount: '1' }, minimum: '40' }]
    const story = storyOf({ p: { ...pro, charges, minimum: { amount: '100' } } })
    story.use('2026-04-02', 10)
    story.run(after('2026-05-01'))
    expect(shown(story.documents()[1] as InvoiceDocument)).toEqual([
      'base p 30.00',
      'usage u 10.00',
      'trueUp u 30.00',
      'trueUp minimum 30.00',
    ])
  })

  test('of two subscriptions the one that started first bills, and the other says so', () => {
    const senior = { id: 'first' as SubscriptionId, startMs: on('2026-01-01') }
    const charging = [{ feature: 'u' as FeatureKey, period: { startMs: senior.startMs, endMs: on('2026-04-11') } }]
    const story = storyOf({ p: { ...pro, baseFee: '1.00' } }, { siblings: [{ ...senior, charging }] })
    story.use('2026-04-05', 100)
    story.use('2026-04-20', 7)
    story.run(after('2026-05-01'))
    const line = story.documents()[1]?.lines.find(({ kind }) => kind === 'usage')
    expect([formatQuantity(line?.quantityNano ?? 0n), line?.billedBy]).toEqual(['7', ['first']])
  })

  test('what is used and costs nothing is kept on a document without a number', () => {
    const story = storyOf({ p: { ...pro, baseFee: null, charges: perUnit('0') } })
    story.use('2026-04-02', 10)
    story.run(after('2026-05-01'))
    expect(story.documents().map(({ status, total }) => [status, total])).toEqual([['nothingDue', 0n]])
  })

  test('a run makes 60 documents at most, oldest first, and the next one goes on', () => {
    const story = storyOf({ p: { ...pro, interval: 'day' } })
    expect(story.run(on('2026-07-01'))).toHaveLength(60)
    expect(story.run(on('2026-07-01')).length).toBeGreaterThan(30)
    const closes = story.documents().map(({ closesAtMs }) => closesAtMs)
    expect(closes).toEqual([...new Set(closes)].sort((a, b) => a - b))
  })
})

describe('a commitment', () => {
  const commitment = { amount: '200.00', fromMs: on('2026-04-01'), toMs: on('2026-06-01') }

  test('is trued up on the document that closes its term, and lowered by what comes late', () => {
    const story = storyOf({ p: pro }, { more: { commitment } })
    story.use('2026-04-05', 40)
    story.run(after('2026-05-01'))
    story.run(after('2026-06-01'))
    story.use('2026-05-05', 70)
    story.run(after('2026-07-01'))
    expect(story.documents().slice(2).map(shown)).toEqual([
      ['base p 30.00', 'trueUp commitment 100.00'],
      ['base p 30.00', 'adjustment u 70.00', 'trueUp commitment -70.00'],
    ])
  })

  test('of a subscription that ends earlier is the share of the time served', () => {
    const story = storyOf({ p: { ...pro, baseFee: null } }, { more: { commitment: { ...commitment, toMs: on('2026-05-01') } } })
    story.cancel(on('2026-04-16'))
    story.run(after('2026-04-16'))
    expect(story.documents().map(shown)).toEqual([['trueUp commitment 100.00']])
  })
})

describe('what lowers a document', () => {
  test('a coupon for once gives once, and late usage keeps it', () => {
    const half = { kind: 'percent' as const, percentNano: 50_000_000_000n }
    const coupons = () => [{ id: 'c', reduction: half, features: ['u' as FeatureKey], usesLeft: 1 }]
    const story = storyOf({ p: pro }, { coupons })
    story.use('2026-04-02', 10)
    story.run(after('2026-05-01'))
    story.use('2026-04-03', 4)
    story.use('2026-05-03', 6)
    story.run(after('2026-06-01'))
    expect(story.documents().slice(1).map(shown)).toEqual([
      ['base p 30.00', 'usage u 10.00 -5.00'],
      ['base p 30.00', 'usage u 6.00', 'adjustment u 4.00 -2.00'],
    ])
  })

  test('an amount off a line that is corrected to nothing leaves nothing to come back but what was asked', () => {
    const coupons = () => [{ id: 'c', reduction: { kind: 'amount' as const, amount: parse('50') }, features: null, usesLeft: 1 }]
    const story = storyOf({ p: { ...pro, baseFee: null } }, { coupons })
    story.use('2026-04-02', 100)
    story.run(after('2026-05-01'))
    story.use('2026-04-02', -100)
    story.run(after('2026-06-01'))
    expect(story.documents().map((each) => [...shown(each), text(each.net)])).toEqual([
      ['usage u 100.00 -50.00', '50.00'],
      ['adjustment u -100.00 --50.00', '-50.00'],
    ])
  })

  test('late usage is taxed at the rate of its period, whatever the rate is now', () => {
    const vat = (percentNano: bigint) => ({
      ...{ rates: new Map([['vat', { key: 'vat', name: 'VAT', percentNano, isInclusive: false }]]), defaults: ['vat'], isExempt: false },
    })
    const options = { currency: 'USD', plans: { p: pro }, plan: 'p', startMs: on('2026-04-01'), taxes: vat(20_000_000_000n) }
    const story = createBillingStory(options)
    story.run(after('2026-05-01'))
    options.taxes.rates.set('vat', { key: 'vat', name: 'VAT', percentNano: 10_000_000_000n, isInclusive: false })
    story.use({ feature: 'u', occurredAtMs: on('2026-04-03'), quantityNano: 10n * NANO })
    story.run(after('2026-06-01'))
    expect(
      story
        .documents()
        .at(-1)
        ?.taxes.map(({ base, amount }) => [text(base), text(amount)]),
    ).toEqual([
      ['30.00', '3.00'],
      ['10.00', '2.00'],
    ])
  })

  test('a correction gives back money first and credits last, and what comes back to a credit that has ended expires', () => {
    const credits = () => [credit('w', '12', { expiresAtMs: on('2026-05-01') })]
    const story = storyOf({ p: { ...pro, baseFee: null } }, { credits })
    story.use('2026-04-02', 24)
    story.run(after('2026-05-01'))
    story.use('2026-04-02', -20)
    story.run(after('2026-06-01'))
    expect(story.documents().map((each) => [...shown(each), text(each.net)])).toEqual([
      ['usage u 24.00 c12.00', '12.00'],
      ['adjustment u -20.00 c-8.00', '-12.00'],
    ])
    const [after_] = story.state().purse.credits
    expect([after_?.burned, after_?.expired, after_ && leftOf(after_)]).toEqual([400n, 800n, 0n])
  })

  test('a credit that paid a base fee gets back what was not served', () => {
    const credits = () => [credit('w', '30', { appliesTo: { kinds: ['base'], features: null } })]
    const story = storyOf({ p: pro }, { credits })
    story.run(on('2026-04-01'))
    story.cancel(on('2026-04-11'))
    story.run(after('2026-04-11'))
    expect(story.documents().map(shown)).toEqual([['base p 30.00 c30.00'], ['unused p -20.00 c-20.00']])
    expect(story.state().purse).toMatchObject({ balance: 0n, credits: [{ burned: 1000n }] })
  })

  test("a plan's credits come once a period, pay for its usage, and what is left ends with it", () => {
    const story = storyOf({ p: { ...pro, baseFee: null, credits: [{ amount: '10' }] } })
    story.run(on('2026-04-01'))
    story.use('2026-04-02', 4)
    story.run(after('2026-05-01'))
    story.run(after('2026-05-01'))
    story.use('2026-05-02', 25)
    story.run(after('2026-06-01'))
    expect(story.documents().map(shown)).toEqual([['usage u 4.00 c4.00'], ['usage u 25.00 c10.00']])
    expect(story.state().purse.credits.map(({ burned, expired }) => [text(burned), text(expired)])).toEqual([
      ['4.00', '6.00'],
      ['10.00', '0.00'],
      ['0.00', '0.00'],
    ])
  })
})

test('all that is due at once is what one after the other makes', () => {
  const story = storyOf({ p: { ...pro, interval: 'week' } })
  const state = story.state()
  const made = decideInvoice(
    state,
    on('2026-06-20'),
    () => 0n,
    (index) => `inv_${index + 1}`,
  )
  story.run(on('2026-06-20'))
  expect(made).toEqual(story.decisions())
})

test('a plan in another currency is refused', () => {
  const story = storyOf({ p: pro, q: { ...pro, currency: 'EUR' } })
  const refused = decideNext(story.state(), on('2026-04-01'), () => 0n, 'inv')
  expect(isRefusal(refused) && refused.code).toBe('currency_mismatch')
})
