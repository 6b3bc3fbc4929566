import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import type { InvoiceLine } from '../../domain/billing/invoice.ts'
import type { Money } from '../../domain/billing/money.ts'
import { NANO } from '../../domain/decimal.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { type RecountPlan, recount } from '../../test/support/billing/billing-recount.ts'
import { type BillingStory, createBillingStory, type StoryPlan } from '../../test/support/billing/billing-story.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 31, 10, 30) as InstantMs
const LIFE_DAYS = 150

/** The same plans twice: as they are put, and as the recount reads them. */
const PLANS: Readonly<Record<string, StoryPlan>> = {
  basic: {
    interval: 'month',
    baseFee: '30.00',
    charges: [{ key: 'u', feature: 'u', price: { model: 'flat', unitAmount: '0.0333' } }],
  },
  late: {
    interval: 'month',
    ...{ baseFee: '90.01', baseFeeTiming: 'arrears', minimum: { amount: '120.00' } },
    charges: [
      {
        key: 'u',
        feature: 'u',
        price: {
          model: 'tiered',
          tiers: [
            { upTo: '100', unitAmount: '0' },
            { upTo: null, unitAmount: '0.127' },
          ],
        },
      },
    ],
  },
  scaled: {
    interval: 'month',
    ...{ baseFee: '9.99', proration: { baseFee: 'exact', tiers: 'scaled' }, thresholdAmount: '5.00' },
    charges: [
      {
        ...{ key: 'u', feature: 'u', maximum: '40.00' },
        price: {
          model: 'volume',
          tiers: [
            { upTo: '250', unitAmount: '0.10' },
            { upTo: null, unitAmount: '0.07' },
          ],
        },
      },
    ],
  },
  weekly: {
    interval: 'week',
    baseFee: '7.77',
    charges: [
      {
        key: 'u',
        feature: 'u',
        price: {
          model: 'tiered',
          tiers: [
            { upTo: '50', unitAmount: '0.05' },
            { upTo: null, unitAmount: '0.01' },
          ],
        },
      },
    ],
  },
}
const RECOUNTED: Record<string, RecountPlan> = {
  basic: plan('month', 3000n, { tiers: [{ upTo: null, microCents: 3_330_000n }] }),
  late: plan('month', 9001n, {
    minimumCents: 12_000n,
    tiers: [
      { upTo: 100n, microCents: 0n },
      { upTo: null, microCents: 12_700_000n },
    ],
  }),
  scaled: plan('month', 999n, {
    ...{ scaled: true, volume: true, maximumCents: 4000n },
    tiers: [
      { upTo: 250n, microCents: 10_000_000n },
      { upTo: null, microCents: 7_000_000n },
    ],
  }),
  weekly: plan('week', 777n, {
    tiers: [
      { upTo: 50n, microCents: 5_000_000n },
      { upTo: null, microCents: 1_000_000n },
    ],
  }),
}

/** A price of the subscription's own, in place of a plan's table. */
const OWN_PRICE = { u: { model: 'flat' as const, unitAmount: '0.02' } }
for (const [name, listed] of Object.entries(RECOUNTED)) {
  RECOUNTED[`${name} own`] = { ...listed, tiers: [{ upTo: null, microCents: 2_000_000n }] }
}

function plan(interval: 'month' | 'week', feeCents: bigint, more: Partial<RecountPlan>): RecountPlan {
  return { ...{ interval, feeCents, minimumCents: 0n, maximumCents: null, scaled: false, volume: false, tiers: [] }, ...more }
}

type Action =
  | { readonly kind: 'use'; readonly occurredDay: number; readonly lateByDays: number; readonly units: number }
  | {
      readonly kind: 'change'
      readonly day: number
      readonly plan: string
      readonly when: 'now' | 'periodEnd'
      readonly invoiceNow: boolean
      readonly ownPrice: boolean
    }
  | { readonly kind: 'run'; readonly day: number }

type Life = {
  readonly plan: string
  readonly actions: readonly Action[]
  readonly cancelDay: number
  readonly cancelWhen: 'now' | 'periodEnd'
  readonly credits: readonly { readonly cents: number; readonly paid: boolean; readonly fromDay: number; readonly days: number | null }[]
}

const day = fc.integer({ min: 0, max: LIFE_DAYS * 24 }).map((hours) => hours / 24)
const planKey = fc.constantFrom(...Object.keys(PLANS))
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('use' as const),
      occurredDay: day,
      lateByDays: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 34 })),
      units: fc.integer({ min: -40, max: 200 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant('change' as const), day, plan: planKey, when: fc.constantFrom('now' as const, 'periodEnd' as const) },
      ...{ invoiceNow: fc.boolean(), ownPrice: fc.boolean() },
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('run' as const), day }) },
)
const life: fc.Arbitrary<Life> = fc.record({
  plan: planKey,
  actions: fc.array(action, { maxLength: 30 }),
  cancelDay: day,
  cancelWhen: fc.constantFrom('now' as const, 'periodEnd' as const),
  credits: fc.array(
    fc.record({
      ...{ cents: fc.integer({ min: 1, max: 3000 }), paid: fc.boolean(), fromDay: fc.integer({ min: 0, max: 100 }) },
      days: fc.option(fc.integer({ min: 1, max: 60 }), { nil: null }),
    }),
    { maxLength: 3 },
  ),
})

const at = (days: number) => Math.round(START_MS + days * DAY_MS) as InstantMs

/** Acts a life out in the order of time; events of an instant happen before a run in it. */
function actOut({ plan: first, actions, cancelDay, cancelWhen, credits }: Life, runs: readonly number[]): BillingStory {
  const story = createBillingStory({
    ...{ currency: 'USD', plans: PLANS, plan: first, startMs: START_MS },
    credits: () => credits.map(({ cents, paid, fromDay, days }, index) => credit(`w${index}`, cents, paid, fromDay, days)),
  })
  let isOver = false
  const steps = actions.flatMap((each): { atMs: InstantMs; act(): void }[] => {
    switch (each.kind) {
      case 'use': {
        const event = { feature: 'u', occurredAtMs: at(each.occurredDay), quantityNano: BigInt(each.units) * NANO }
        return [{ atMs: at(each.occurredDay + each.lateByDays), act: () => story.use(event) }]
      }
      case 'change': {
        const atMs = at(each.day)
        const act = () => {
          const { endMs } = story.state().subscription
          const more = { ...(each.invoiceNow && { invoiceNow: true }), ...(each.ownPrice && { priceOverrides: OWN_PRICE }) }
          if (endMs === null) story.change(each.plan, atMs, each.when, more)
        }
        return [{ atMs, act }]
      }
      default:
        return []
    }
  })
  steps.push({
    atMs: at(cancelDay),
    act: () => {
      if (!isOver) story.cancel(at(cancelDay), cancelWhen)
      isOver = true
    },
  })
  steps.sort((a, b) => a.atMs - b.atMs)
  const times = runs.map(at).sort((a, b) => a - b)
  for (const { atMs, act } of steps) {
    while (times[0] !== undefined && times[0] < atMs) story.run(times.shift() as InstantMs)
    act()
  }
  // Months after the last late window has closed; a run makes at most 60 documents.
  for (const atMs of [...times, at(300), at(301), at(302)]) story.run(atMs)
  return story
}

function credit(id: string, cents: number, isPaid: boolean, fromDay: number, days: number | null): Credit {
  const [amount, nothing] = [BigInt(cents) as Money, 0n as Money]
  return {
    ...{ id, amount, paid: isPaid ? ((amount - amount / 10n) as Money) : nothing, priority: 100 },
    ...{ effectiveAtMs: at(fromDay), expiresAtMs: days === null ? null : at(fromDay + days), createdAtMs: at(fromDay) },
    ...{ appliesTo: { kinds: null, features: null }, burned: nothing, expired: nothing, voided: nothing },
  }
}

/** The lines of each part, summed over all documents. */
function sumsOf(story: BillingStory, startMs: number, endMs: number, kinds: readonly InvoiceLine['kind'][]): readonly [bigint, bigint] {
  const lines = story.documents().flatMap((document) => document.lines)
  const own = lines.filter(({ kind, period }) => kinds.includes(kind) && period.startMs >= startMs && period.startMs < endMs)
  return [own.reduce((sum, { amount }) => sum + amount, 0n), own.reduce((sum, { quantityNano }) => sum + (quantityNano ?? 0n), 0n)]
}

const runsOf = ({ actions }: Life) => actions.flatMap((each) => (each.kind === 'run' ? [each.day] : []))

function expectAsRecounted(story: BillingStory, of: Life): void {
  const { subscription } = story.state()
  const { endMs } = subscription
  if (endMs === null) throw new Error('every life ends')
  const phases = subscription.phases.map(({ plan: key, priceOverrides, ...phase }) => {
    return { ...phase, plan: priceOverrides === undefined ? key : `${key} own`, endMs: Math.min(phase.endMs ?? endMs, endMs) }
  })
  const events = of.actions.flatMap((each) =>
    each.kind === 'use' ? [{ occurredAtMs: at(each.occurredDay), units: BigInt(each.units) }] : [],
  )
  const parts = recount(RECOUNTED, phases, START_MS, events)
  const [fees] = sumsOf(story, START_MS, at(300), ['base', 'unused'])
  expect(fees).toBe(parts.reduce((sum, { base }) => sum + base, 0n))
  for (const part of parts) {
    const [usage, quantityNano] = sumsOf(story, part.startMs, part.endMs, ['usage', 'adjustment'])
    const [trueUp] = sumsOf(story, part.startMs, part.endMs, ['trueUp'])
    expect({ ...part, usage, units: quantityNano / NANO, trueUp }).toEqual(part)
  }
}

/** Invariant 1: at each instant the fees of one plan were billed once more than they were given back. */
function expectBaseTiles(story: BillingStory): void {
  const { subscription } = story.state()
  const fees = story
    .documents()
    .flatMap((document) => document.lines)
    .filter(({ kind }) => kind === 'base' || kind === 'unused')
  const cuts = [
    ...new Set([...fees.map(({ period }) => period), ...subscription.phases].flatMap((each) => [each.startMs, each.endMs ?? 0])),
  ]
  cuts.sort((a, b) => a - b)
  for (const [index, fromMs] of cuts.entries()) {
    const toMs = cuts[index + 1]
    if (toMs === undefined) break
    const phase = subscription.phases.find(({ startMs, endMs }) => startMs <= fromMs && fromMs < (endMs ?? 0))
    for (const key of Object.keys(PLANS)) {
      const times = fees
        .filter(({ plan: of, period }) => of === key && period.startMs <= fromMs && toMs <= period.endMs)
        .reduce((sum, { kind }) => sum + (kind === 'base' ? 1 : -1), 0)
      expect({ key, from: new Date(fromMs), times }).toEqual({ key, from: new Date(fromMs), times: phase?.plan === key ? 1 : 0 })
    }
  }
}

/** Invariants 3 and 4. */
function expectMoneyAddsUp(story: BillingStory): void {
  const accounts = new Map<string, bigint>()
  for (const { source, entries } of story.transactions()) {
    expect(
      entries.reduce((sum, { amount }) => sum + amount, 0n),
      source,
    ).toBe(0n)
    for (const { account, amount } of entries) accounts.set(account, (accounts.get(account) ?? 0n) + amount)
  }
  const sources = story.transactions().map(({ source }) => source)
  expect(new Set(sources).size).toBe(sources.length)
  const { credits, balance } = story.state().purse
  const face = credits.reduce((sum, { amount }) => sum + amount, 0n)
  const left = credits.reduce((sum, each) => sum + leftOf(each), 0n)
  for (const each of credits) expect(leftOf(each) >= 0n && each.burned >= 0n && each.expired >= 0n).toBe(true)
  expect(accounts.get('credits') ?? 0n).toBe(face - left)
  expect(-(accounts.get('balance') ?? 0n)).toBe(balance)
  expect(accounts.get('receivable') ?? 0n).toBe(story.documents().reduce((sum, { due }) => sum + due, 0n))
  for (const { lines, subtotal, discount, credits: paid, net, total, tax } of story.documents()) {
    expect(lines.reduce((sum, line) => sum + line.net, 0n)).toBe(net)
    expect([subtotal - discount - paid, net + tax]).toEqual([net, total])
  }
}

describe('whatever a life does', () => {
  test('its parts come to what a recount from the events says, its fees tile the time served, and all money adds up', () => {
    const kinds = new Set<string>()
    fc.assert(
      fc.property(life, (of) => {
        const story = actOut(of, runsOf(of))
        for (const { document, kind, lines } of story.documents())
          for (const each of [document, kind, ...lines.map((line) => line.kind)]) kinds.add(each)
        expectAsRecounted(story, of)
        expectBaseTiles(story)
        expectMoneyAddsUp(story)
        expect(story.state().parts).toEqual([])
        expect(story.run(at(400))).toEqual([])
      }),
      { numRuns: 300 },
    )
    // The lives are varied enough to show every kind.
    for (const kind of ['opening', 'cycle', 'closing', 'change', 'threshold', 'adjustment', 'creditNote', 'unused', 'trueUp']) {
      expect(kinds).toContain(kind)
    }
  })

  test('runs at the same instants again change nothing, and runs at other times end in the same sums', () => {
    fc.assert(
      fc.property(life, fc.array(day, { maxLength: 6 }), (of, others) => {
        const once = actOut(of, runsOf(of))
        const twice = actOut(of, [...runsOf(of), ...runsOf(of)])
        expect(twice.documents()).toEqual(once.documents())
        expectAsRecounted(actOut(of, others), of)
      }),
      { numRuns: 100 },
    )
  })
})
