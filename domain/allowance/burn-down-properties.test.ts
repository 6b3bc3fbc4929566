import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inLongRun } from '../../test/support/long-run.ts'
import { actOut, type ModelEvent } from '../../test/support/models/burn-down-model.ts'
import { at, NOBODY, stateAt, type Used, usedIn } from '../../test/support/models/burn-down-story.ts'
import type { GrantId, InstantMs } from '../identity.ts'
import { periodAt } from '../time/calendar.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'
import type { LedgerSnapshot } from './allowance-ledger.ts'
import { cutSegments, segmentAt } from './allowance-segment.ts'
import { type BurnDown, burnDown, openingAfter } from './burn-down.ts'
import type { Grant } from './grant.ts'

describe('against the rules acted out unit by unit', () => {
  const HOUR_MS = 3_600_000
  const DAY_MS = 24 * HOUR_MS
  const horizon = {
    hour: 3 * DAY_MS,
    day: 40 * DAY_MS,
    week: 150 * DAY_MS,
    month: 430 * DAY_MS,
    quarter: 800 * DAY_MS,
    never: 60 * DAY_MS,
  } as const

  const scheduleArbitrary = fc
    .record({
      interval: fc.constantFrom('hour', 'day', 'week', 'month', 'month', 'quarter', 'never' as const),
      anchor: fc.constantFrom('subscription', 'calendar' as const),
      anchorMs: fc.constantFrom(at('2024-01-31'), at('2024-02-29 15:30'), at('2024-01-01')),
      fromMs: fc.constantFrom(at('2024-01-31'), at('2024-03-30 22:15')),
      timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
    })
    .map((schedule): ResetSchedule => schedule)

  const rolloverArbitrary = fc.option(
    fc.record({
      percent: fc.constantFrom('100', '50', '12.5', '33.333333333', '0'),
      max: fc.option(fc.bigInt(0n, 12n), { nil: null }),
    }),
    { nil: null },
  )

  /** Fractions of the horizon, on a grid so that instants meet; some on the very edge of a period. */
  const instantArbitrary = (schedule: ResetSchedule) =>
    fc.tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom('grid', 'grid', 'edge', 'before edge')).map(([step, place]) => {
      const atMs = (schedule.fromMs + (step * horizon[schedule.interval as keyof typeof horizon]) / 60) as InstantMs
      if (place === 'grid') return atMs
      const edgeMs = periodAt(schedule, atMs).startMs
      return Math.max(schedule.fromMs, place === 'edge' ? edgeMs : edgeMs - 1) as InstantMs
    })

  const grantArbitrary = (schedule: ResetSchedule) => {
    const instant = instantArbitrary(schedule)
    return fc
      .record({
        amount: fc.bigInt(1n, 15n),
        priority: fc.constantFrom(100, 100, 127, 128, 129, 200),
        effectiveAtMs: instant,
        expiresAtMs: fc.option(instant, { nil: null }),
        voidedAtMs: fc.option(instant, { nil: null, freq: 3 }),
        age: fc.integer({ min: 0, max: 3 }),
      })
      .map(({ age, ...grant }) => ({ ...grant, createdAtMs: (grant.effectiveAtMs - age) as InstantMs }))
  }

  const caseArbitrary = fc.record({ schedule: scheduleArbitrary, seed: fc.constant(null) }).chain(({ schedule }) => {
    const instant = instantArbitrary(schedule)
    return fc.record({
      history: fc.record({
        schedule: fc.constant(schedule),
        allowances: fc
          .array(
            fc.record({ fromMs: instant, limit: fc.option(fc.bigInt(0n, 15n), { nil: null, freq: 8 }), rollover: rolloverArbitrary }),
            {
              maxLength: 3,
            },
          )
          .chain((later) =>
            fc.record({ limit: fc.bigInt(0n, 15n), rollover: rolloverArbitrary }).map((first) => {
              const changes = later.sort((a, b) => a.fromMs - b.fromMs)
              return [{ ...first, fromMs: schedule.fromMs }, ...changes]
            }),
          ),
        grants: fc
          .array(grantArbitrary(schedule), { maxLength: 6 })
          .map((grants) => grants.map((grant, index): Grant => ({ ...NOBODY, ...grant, id: `g${index}` as GrantId }))),
        manualResetsMs: fc.array(instant, { maxLength: 3 }),
      }),
      nowMs: instant,
      events: fc.array(fc.record({ atMs: instant, units: fc.integer({ min: 0, max: 12 }) }), { maxLength: 40 }),
    })
  })

  const asUsed = (events: readonly ModelEvent[]): Used => events.map(({ atMs, units: count }) => ({ atMs, nano: BigInt(count) }))
  const leftOf = (state: BurnDown, kind: 'plan' | 'rollover') => {
    const found = state.sources.find(({ source }) => source.kind === kind)
    return found === undefined ? 0n : found.left
  }

  test('what is left of each source, overage and usage are the same', () => {
    fc.assert(
      fc.property(caseArbitrary, ({ history, events, nowMs }) => {
        const state = stateAt(history, asUsed(events), nowMs)
        const acted = actOut(history, events, nowMs)
        const nano = (count: number | null) => (count === null ? null : BigInt(count))
        expect({
          used: state.usedUnits,
          overage: state.overage,
          remaining: state.remaining,
          plan: leftOf(state, 'plan'),
          rollover: leftOf(state, 'rollover'),
          grants: new Map(
            state.sources.flatMap(({ source, left }) =>
              source.kind === 'grant' && left !== 0n ? [[source.grant.id as string, left] as const] : [],
            ),
          ),
        }).toEqual({
          used: nano(acted.used),
          overage: nano(acted.overage),
          remaining: nano(acted.remaining),
          plan: nano(acted.plan),
          rollover: nano(acted.rollover),
          grants: new Map([...acted.grants].filter(([, left]) => left > 0).map(([id, left]) => [id, BigInt(left)])),
        })
      }),
      { numRuns: inLongRun(600, 150) },
    )
  })

  test('up to `limitUnits` of the segment under way nothing is overage, one unit more is', () => {
    fc.assert(
      fc.property(caseArbitrary, ({ history, events, nowMs }) => {
        const used = asUsed(events)
        const { segment, overage } = stateAt(history, used, nowMs)
        if (segment.limitUnits === null) return
        const before = used.filter(({ atMs }) => atMs < segment.startMs)
        const beforeOverage = stateAt(history, before, nowMs).overage
        const full = stateAt(history, [...before, { atMs: segment.startMs, nano: segment.limitUnits }], nowMs)
        expect([full.remaining, full.overage]).toEqual([0n, beforeOverage])
        expect(overage - beforeOverage).toBe(segment.usedUnits > segment.limitUnits ? segment.usedUnits - segment.limitUnits : 0n)
      }),
      { numRuns: inLongRun(200, 50) },
    )
  })

  const correctedCase = fc
    .tuple(caseArbitrary, fc.array(fc.integer({ min: -12, max: 12 }), { minLength: 40, maxLength: 40 }))
    .map(([one, signs]) => ({
      ...one,
      used: one.events.map(({ atMs }, index) => ({ atMs, nano: BigInt(signs[index] ?? 0) })),
    }))

  test('with corrections too: cutting time where nothing changes changes nothing, and what is left adds up', () => {
    fc.assert(
      fc.property(correctedCase, fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 5 }), ({ history, used, nowMs }, cuts) => {
        const whole = stateAt(history, used, nowMs)
        const nothing = cuts.map((step, index): Grant => {
          const effectiveAtMs = (history.schedule.fromMs + step * 7 * HOUR_MS) as InstantMs
          return {
            ...NOBODY,
            id: `n${index}` as GrantId,
            amount: 0n,
            priority: 1,
            effectiveAtMs,
            createdAtMs: effectiveAtMs,
            expiresAtMs: null,
            voidedAtMs: null,
          }
        })
        const cut = stateAt({ ...history, grants: [...history.grants, ...nothing] }, used, nowMs)
        const { segment, ...rest } = cut
        const sources = rest.sources.filter(({ source }) => source.kind !== 'grant' || !source.grant.id.startsWith('n'))
        expect({ ...rest, sources }).toEqual({ ...whole, segment: undefined })
        expect(whole.remaining).toBe(
          whole.sources.some(({ left }) => left === null) ? null : whole.sources.reduce((sum, { left }) => sum + (left ?? 0n), 0n),
        )
        expect(segment.usedUnits).toBe(usedIn(used.filter(({ atMs }) => atMs <= nowMs))(segment))
      }),
      { numRuns: inLongRun(200, 50) },
    )
  })

  test('segments folded up into openings, in runs of any length, lead to the same state', () => {
    fc.assert(
      fc.property(
        correctedCase,
        fc.integer({ min: 2, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        ({ history, used, nowMs }, segmentsMax, kept) => {
          const bounds = { segmentsMax, segmentsKept: Math.min(kept, segmentsMax) }
          const known = usedIn(used.filter(({ atMs }) => atMs <= nowMs))
          let opening: LedgerSnapshot | null = null
          let cut = cutSegments(history, opening, nowMs, bounds)
          for (; cut.mustFold; cut = cutSegments(history, opening, nowMs, bounds)) {
            expect(cut.segments.length).toBeLessThanOrEqual(segmentsMax)
            opening = openingAfter(history, opening, cut.segments, nowMs, known)
          }
          expect(cut.segments.length).toBeLessThanOrEqual(segmentsMax)
          expect(burnDown(history, opening, cut.segments, nowMs, known)).toEqual(stateAt(history, used, nowMs))
        },
      ),
      { numRuns: inLongRun(200, 50) },
    )
  })

  test('schedule and boundaries alone find the segment of every event, as counters must', () => {
    fc.assert(
      fc.property(caseArbitrary, ({ history, nowMs }) => {
        const { segments, boundariesMs } = cutSegments(history, null, nowMs)
        for (const { startMs, endMs } of segments) {
          for (const atMs of [startMs, endMs - 1]) {
            expect(segmentAt(history.schedule, boundariesMs, atMs as InstantMs)).toEqual({ startMs, endMs })
          }
        }
      }),
      { numRuns: inLongRun(100, 25) },
    )
  })
})
