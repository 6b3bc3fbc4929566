import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId } from '../identity.ts'
import { isRefusal, orThrow } from '../refusal.ts'
import {
  cancelSubscription,
  changeInstant,
  changePlan,
  ownPeriodAt,
  PHASES_MAX,
  phaseAt,
  type Subscription,
  subscriptionStatus,
  uncancelSubscription,
} from './subscription.ts'

const at = (ms: number) => ms as InstantMs
const START = at(Date.UTC(2026, 0, 31))
const DAY_MS = 86_400_000
const FREE = { plan: 'free' as PlanKey, planVersion: 1 }
const PRO = { plan: 'pro' as PlanKey, planVersion: 3 }
const subscription = (change: Partial<Subscription> = {}): Subscription => ({
  id: 'sub_1' as SubscriptionId,
  customer: 'acme' as CustomerKey,
  startMs: START,
  anchorMs: START,
  endMs: null,
  phases: [{ ...FREE, startMs: START, endMs: null }],
  ...change,
})

describe('status', () => {
  test.each([
    { title: 'before its start', atMs: START - 1, endMs: null, status: 'scheduled' },
    { title: 'from its start on', atMs: START, endMs: null, status: 'active' },
    { title: 'with a known end', atMs: START, endMs: START + 5, status: 'canceled' },
    { title: 'before its start with a known end', atMs: START - 1, endMs: START + 5, status: 'scheduled' },
    { title: 'at its end', atMs: START + 5, endMs: START + 5, status: 'ended' },
    { title: 'cancelled before it began', atMs: START - 1, endMs: START, status: 'ended' },
  ])('$title it is $status', ({ atMs, endMs, status }) => {
    expect(subscriptionStatus(subscription({ endMs: endMs === null ? null : at(endMs) }), at(atMs))).toBe(status)
  })
})

describe('the instant of a change', () => {
  test.each([
    { title: 'now', moment: 'now', now: '2026-02-10T12:00:00Z', instant: '2026-02-10T12:00:00Z' },
    { title: 'now, before the start', moment: 'now', now: '2026-01-01T00:00:00Z', instant: '2026-01-31T00:00:00Z' },
    { title: 'at the end of a month that clamps', moment: 'periodEnd', now: '2026-02-10T12:00:00Z', instant: '2026-02-28T00:00:00Z' },
    { title: 'at the end of the month that comes back', moment: 'periodEnd', now: '2026-02-28T00:00:00Z', instant: '2026-03-31T00:00:00Z' },
  ] as const)('$title', ({ moment, now, instant }) => {
    expect(changeInstant(subscription(), 'month', moment, at(Date.parse(now)))).toBe(Date.parse(instant))
  })

  test('a plan that bills once has no period end', () => {
    expect(changeInstant(subscription(), 'once', 'periodEnd', START)).toMatchObject({ code: 'no_period_end' })
  })
})

describe('uncancelling', () => {
  test.each([
    { title: 'one that runs on is left', endMs: null, nowMs: START + 10, ends: null },
    { title: 'an end to come is taken back', endMs: START + 20, nowMs: START + 10, ends: null },
    { title: 'an end of one that has not begun is taken back', endMs: START + 20, nowMs: START - 10, ends: null },
  ])('$title', ({ endMs, nowMs, ends }) => {
    const canceled = endMs === null ? subscription() : cancelSubscription(subscription(), at(endMs))
    const running = orThrow(uncancelSubscription(canceled, at(nowMs)))
    expect([running.endMs, running.phases.at(-1)?.endMs]).toEqual([ends, ends])
  })

  test.each([START + 20, START + 21])('what is over stays over', (nowMs) => {
    expect(uncancelSubscription(cancelSubscription(subscription(), at(START + 20)), at(nowMs))).toMatchObject({ code: 'subscription_over' })
  })
})

describe('cancelling', () => {
  test('ends the last phase and drops those to come', () => {
    const changed = orThrow(changePlan(subscription(), PRO, at(START + 10)))
    expect(cancelSubscription(changed, at(START + 5))).toMatchObject({
      endMs: START + 5,
      phases: [{ ...FREE, startMs: START, endMs: START + 5 }],
    })
    expect(cancelSubscription(changed, at(START + 15)).phases).toMatchObject([{ endMs: START + 10 }, { ...PRO, endMs: START + 15 }])
  })

  test('may be repeated: an end never moves later, and not before the start', () => {
    const cancelled = cancelSubscription(subscription(), at(START + 5))
    expect(cancelSubscription(cancelled, at(START + 9))).toEqual(cancelled)
    expect(cancelSubscription(cancelled, at(START - 9))).toMatchObject({ endMs: START, phases: [{ startMs: START, endMs: START }] })
  })
})

describe('changing the plan', () => {
  test('ends one phase where the next begins', () => {
    expect(orThrow(changePlan(subscription(), PRO, at(START + 10))).phases).toEqual([
      { ...FREE, startMs: START, endMs: START + 10 },
      { ...PRO, startMs: START + 10, endMs: null },
    ])
  })

  test('before the start it replaces the plan', () => {
    expect(orThrow(changePlan(subscription(), PRO, START)).phases).toEqual([{ ...PRO, startMs: START, endMs: null }])
  })

  test('the plan in force again calls a change off', () => {
    const changed = orThrow(changePlan(subscription(), PRO, at(START + 10)))
    expect(changePlan(changed, FREE, at(START + 5))).toEqual(subscription())
  })

  test('is refused from the end on', () => {
    const cancelled = cancelSubscription(subscription(), at(START + 5))
    expect(changePlan(cancelled, PRO, at(START + 5))).toMatchObject({ code: 'subscription_ended', fields: { endMs: START + 5 } })
    expect(orThrow(changePlan(cancelled, PRO, at(START + 4)))).toMatchObject({ endMs: START + 5, phases: [{}, { endMs: START + 5 }] })
  })

  test('is bounded', () => {
    let changed = subscription()
    for (let n = 1; n < PHASES_MAX; n++) changed = orThrow(changePlan(changed, n % 2 ? PRO : FREE, at(START + n)))
    expect(changePlan(changed, FREE, at(START + PHASES_MAX))).toMatchObject({ code: 'too_many_changes' })
  })

  test('whatever is done, phases adjoin from start to end and exactly one is in force', () => {
    const step = fc.record({ kind: fc.constantFrom('cancel', 'free', 'pro'), offsetMs: fc.integer({ min: 0, max: 10 * DAY_MS }) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 0, max: 10 * DAY_MS }), (steps, seenMs) => {
        let result = subscription()
        for (const { kind, offsetMs } of steps) {
          const atMs = at(START + offsetMs)
          const next = kind === 'cancel' ? cancelSubscription(result, atMs) : changePlan(result, kind === 'pro' ? PRO : FREE, atMs)
          if (!isRefusal(next)) result = next
        }
        expect(result.phases[0]?.startMs).toBe(START)
        expect(result.phases.at(-1)?.endMs).toBe(result.endMs)
        for (const [index, phase] of result.phases.entries()) {
          const following = result.phases[index + 1]
          if (following !== undefined) expect(phase.endMs).toBe(following.startMs)
        }
        const inForce = phaseAt(result, at(START + seenMs))
        if (result.endMs === null || START + seenMs < result.endMs) {
          expect(inForce.startMs).toBeLessThanOrEqual(START + seenMs)
          expect(inForce.endMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(START + seenMs)
        }
      }),
    )
  })
})

describe('the period of an instant', () => {
  const changedAt = at(Date.UTC(2026, 1, 10))
  const changed = orThrow(changePlan(subscription(), PRO, changedAt))
  const endOf = (period: { startMs: number; endMs: number }) =>
    [period.startMs, period.endMs].map((ms) => new Date(ms).toISOString().slice(0, 10))

  test.each([
    { intervals: ['month', 'year'], atMs: changedAt - 1, period: ['2026-01-31', '2026-02-10'] },
    { intervals: ['month', 'year'], atMs: changedAt, period: ['2026-02-10', '2027-01-31'] },
    { intervals: ['month', 'month'], atMs: changedAt - 1, period: ['2026-01-31', '2026-02-28'] },
    { intervals: ['month', 'month'], atMs: changedAt, period: ['2026-01-31', '2026-02-28'] },
    { intervals: ['once', 'month'], atMs: changedAt - 1, period: ['2026-01-31', '2026-02-10'] },
  ] as const)('of $intervals, $period holds it: periods do not overlap', ({ intervals, atMs, period }) => {
    expect(endOf(ownPeriodAt(changed, intervals, at(atMs)))).toEqual(period)
  })

  test('a change that resets the anchor ends the period too', () => {
    const reset = orThrow(changePlan(subscription(), { ...PRO, anchorMs: changedAt }, changedAt))
    expect(endOf(ownPeriodAt(reset, ['month', 'month'], at(changedAt - 1)))).toEqual(['2026-01-31', '2026-02-10'])
    expect(endOf(ownPeriodAt(reset, ['month', 'month'], changedAt))).toEqual(['2026-02-10', '2026-03-10'])
  })
})
