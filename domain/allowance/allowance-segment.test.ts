import { describe, expect, test } from 'vitest'
import { at, historyOf, type Story, units, usedIn } from '../../test/support/models/burn-down-story.ts'
import { NANO } from '../decimal.ts'
import { END_OF_TIME_MS } from '../identity.ts'
import type { LedgerSnapshot } from './allowance-ledger.ts'
import { cutSegments } from './allowance-segment.ts'
import { burnDown, openingAfter } from './burn-down.ts'

describe('how much of the past matters', () => {
  const startsOf = (story: Partial<Story>, when: string) =>
    cutSegments(historyOf({ usage: [], ...story }), null, at(when)).segments.map(({ startMs }) =>
      new Date(startMs).toISOString().slice(0, 10),
    )

  test.each<{ rule: string; story: Partial<Story>; starts: string[] }>([
    { rule: 'a plan alone: the period under way', story: { limit: 5 }, starts: ['2024-05-01'] },
    { rule: 'a manual reset: what comes after it', story: { limit: 5, resets: ['2024-05-03', '2024-05-07'] }, starts: ['2024-05-07'] },
    {
      rule: 'a grant: from the reset before it began, cut where it did',
      story: { grants: { a: { amount: 1, from: '2024-03-20' } } },
      starts: ['2024-03-01', '2024-03-20', '2024-04-01', '2024-05-01'],
    },
    {
      rule: 'a grant that ended before this period: nothing',
      story: { grants: { a: { amount: 1, from: '2024-03-20', to: '2024-05-01' } } },
      starts: ['2024-05-01'],
    },
    {
      rule: 'rollover: all of it',
      story: { limit: 5, rollover: { percent: '50' } },
      starts: ['2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01', '2024-05-01'],
    },
    {
      rule: 'rollover of an earlier plan: nothing, as soon as one period did not roll over',
      story: { limit: 5, rollover: { percent: '50' }, changes: [{ from: '2024-02-10', limit: 5 }] },
      starts: ['2024-05-01'],
    },
  ])('$rule', ({ story, starts }) => {
    expect(startsOf(story, '2024-05-10')).toEqual(starts)
  })

  test('at most 1000 segments: hours that roll over keep more than 35 days and fold what is older', () => {
    const history = historyOf({ limit: 1, rollover: { percent: '100' }, schedule: { interval: 'hour' }, usage: [] })
    let opening: LedgerSnapshot | null = null
    const runs: number[] = []
    let cut = cutSegments(history, opening, at('2024-04-01'))
    for (; cut.mustFold; cut = cutSegments(history, opening, at('2024-04-01'))) {
      runs.push(cut.segments.length)
      opening = openingAfter(history, opening, cut.segments, at('2024-04-01'), () => 0n)
    }
    // The block of 850 hours before the one under way began 1236 hours ago; the hour under way is one more.
    expect([...runs, cut.segments.length]).toEqual([337, 900])
    expect(units(burnDown(history, opening, cut.segments, at('2024-04-01'), () => 0n).remaining)).toBe(2)
  })

  test.each(['2005-01-01', '2016-01-01', '2023-10-01'])(
    'hours that roll over since %s are followed back some weeks, not to their start',
    (from) => {
      const schedule = { interval: 'hour', fromMs: at(from), anchorMs: at(from) } as const
      const told = historyOf({ limit: 1, rollover: { percent: '100' }, schedule, usage: [] })
      const history = { ...told, allowances: told.allowances.map((allowance) => ({ ...allowance, fromMs: at(from) })) }
      const now = at('2024-04-01')
      let opening: LedgerSnapshot | null = null
      let segments = 0
      let cut = cutSegments(history, opening, now)
      const firstMs = cut.segments[0]?.startMs ?? 0
      for (; cut.mustFold; cut = cutSegments(history, opening, now)) {
        segments += cut.segments.length
        opening = openingAfter(history, opening, cut.segments, now, () => 0n)
      }
      expect((now - firstMs) / 3_600_000).toBeGreaterThanOrEqual(850)
      expect(segments + cut.segments.length).toBeLessThanOrEqual(1_701)
      expect(units(burnDown(history, opening, cut.segments, now, () => 0n).remaining)).toBe(2)
      // A minute later it is the same beginning.
      expect(cutSegments(history, null, (now + 60_000) as typeof now).segments[0]?.startMs).toBe(firstMs)
    },
  )

  test('a period that never ends is folded up in its middle', () => {
    const grants = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`g${index}`, { amount: 10, from: `2024-02-0${index + 1}` }]))
    const history = historyOf({ limit: 3, schedule: { interval: 'never' }, grants, usage: [] })
    const used = usedIn([{ atMs: at('2024-02-02'), nano: 25n * NANO }])
    const bounds = { segmentsMax: 4, segmentsKept: 2 }
    const first = cutSegments(history, null, at('2024-02-10'), bounds)
    const opening = openingAfter(history, null, first.segments, at('2024-02-10'), used)
    const rest = cutSegments(history, opening, at('2024-02-10'), bounds)
    const state = burnDown(history, opening, rest.segments, at('2024-02-10'), used)
    expect([first.mustFold, rest.mustFold, rest.segments[0]?.startMs]).toEqual([true, false, at('2024-02-04')])
    expect([state.period.endMs, units(state.usedUnits), units(state.overage), units(state.remaining)]).toEqual([END_OF_TIME_MS, 25, 2, 40])
  })

  test('a limit that changes within a period folded up in its middle judges the usage before the fold too', () => {
    const story: Story = {
      limit: 10,
      resets: [],
      grants: { a: { amount: 0, from: '2024-01-10' }, b: { amount: 0, from: '2024-01-20' } },
      usage: [],
    }
    const used = usedIn([{ atMs: at('2024-01-05'), nano: 8n * NANO }])
    const bounds = { segmentsMax: 2, segmentsKept: 1 }
    const first = cutSegments(historyOf(story), null, at('2024-01-21'), bounds)
    const opening = openingAfter(historyOf(story), null, first.segments, at('2024-01-21'), used)
    const after = ([5, 20, null] as const).map((limit) => {
      const changed = historyOf({ ...story, changes: [{ from: '2024-01-22', limit }] })
      const { segments } = cutSegments(changed, opening, at('2024-01-23'), bounds)
      const state = burnDown(changed, opening, segments, at('2024-01-23'), used)
      return [units(state.usedUnits), units(state.remaining), units(state.overage)]
    })
    expect(after).toEqual([
      [8, 0, 3],
      [8, 12, 0],
      [8, null, 0],
    ])
  })
})
