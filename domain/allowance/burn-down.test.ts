import { describe, expect, test } from 'vitest'
import { at, type GrantSpec, historyOf, START, type Story, stateAt, tell } from '../../test/support/models/burn-down-story.ts'

describe('the plan alone', () => {
  const usage: Story['usage'] = [
    ['2024-01-10', 60],
    ['2024-01-20', 70],
    ['2024-02-01', 5],
  ]
  test.each([
    { when: '2024-01-09', left: ['plan 100'], remaining: 100, used: 0, overage: 0 },
    { when: '2024-01-10', left: ['plan 40'], remaining: 40, used: 60, overage: 0 },
    { when: '2024-01-31', left: [], remaining: 0, used: 130, overage: 30 },
    { when: '2024-02-01', left: ['plan 95'], remaining: 95, used: 5, overage: 0 },
  ])('at $when: $left', ({ when, ...expected }) => {
    expect(tell({ limit: 100, usage }, when)).toEqual(expected)
  })

  test('unlimited covers everything, and grants wait until it does not', () => {
    const story: Story = { limit: null, grants: { extra: { amount: 10, from: START, priority: 1 } }, usage: [['2024-01-10', 500]] }
    expect(tell(story, '2024-01-20')).toEqual({ left: ['extra 10', 'plan unlimited'], remaining: null, used: 500, overage: 0 })
  })

  test('a change of plan judges the usage of the period under way by the new limit, and of no period before', () => {
    const story: Story = {
      limit: 100,
      changes: [{ from: '2024-02-15', limit: 20 }],
      grants: { extra: { amount: 50, from: START, priority: 200 } },
      usage: [
        ['2024-01-10', 110],
        ['2024-02-10', 30],
      ],
    }
    expect(tell(story, '2024-02-14').left).toEqual(['plan 70', 'extra 40'])
    expect(tell(story, '2024-02-15').left).toEqual(['extra 30'])
    expect(tell(story, '2024-03-01').left).toEqual(['plan 20', 'extra 30'])
  })
})

describe('grants', () => {
  test.each<{ rule: string; grants: Record<string, GrantSpec>; limit?: number; used: number; left: string[] }>([
    {
      rule: 'lower priority burns first, whatever its expiry',
      grants: { late: { amount: 10, from: START, priority: 1 }, soon: { amount: 10, from: START, to: '2024-01-20', priority: 2 } },
      used: 12,
      left: ['soon 8'],
    },
    {
      rule: 'among equals the one that expires first; one that never does comes last',
      grants: { never: { amount: 10, from: START }, soon: { amount: 10, from: START, to: '2024-01-20' } },
      used: 12,
      left: ['never 8'],
    },
    {
      rule: 'then the older one',
      grants: {
        younger: { amount: 10, from: '2024-01-02', created: '2024-01-02' },
        older: { amount: 10, from: '2024-01-02', created: START },
      },
      used: 12,
      left: ['younger 8'],
    },
    {
      rule: 'then by id',
      grants: { b: { amount: 10, from: START }, a: { amount: 10, from: START } },
      used: 12,
      left: ['b 8'],
    },
    { rule: 'by default before the plan', limit: 10, grants: { extra: { amount: 10, from: START } }, used: 12, left: ['plan 8'] },
    {
      rule: 'from priority 129 on after the plan',
      limit: 10,
      grants: { extra: { amount: 10, from: START, priority: 129 } },
      used: 12,
      left: ['extra 8'],
    },
    {
      rule: 'with 128 before the plan if it expires before the next reset',
      limit: 10,
      grants: { extra: { amount: 10, from: START, to: '2024-01-31', priority: 128 } },
      used: 12,
      left: ['plan 8'],
    },
    {
      rule: 'with 128 after the plan if it expires with the next reset or later',
      limit: 10,
      grants: { extra: { amount: 10, from: START, to: '2024-02-01', priority: 128 } },
      used: 12,
      left: ['extra 8'],
    },
  ])('$rule', ({ grants, limit = 0, used, left }) => {
    expect(tell({ limit, grants, usage: [['2024-01-10', used]] }, '2024-01-11').left).toEqual(left)
  })

  test('a reset gives nothing of a grant back', () => {
    const story: Story = { limit: 5, grants: { extra: { amount: 10, from: START } }, usage: [['2024-01-10', 7]] }
    expect(tell(story, '2024-02-02').left).toEqual(['extra 3', 'plan 5'])
  })

  test.each([
    { when: '2024-01-10 11:59', left: [], overage: 2 },
    { when: '2024-01-10 12:00', left: ['extra 10'], overage: 2 },
    { when: '2024-01-20', left: ['extra 7'], overage: 2 },
    { when: '2024-01-25', left: [], overage: 2 },
    { when: '2024-01-26', left: [], overage: 6 },
  ])('one that begins late does not rewrite the past, nor does its end: at $when', ({ when, left, overage }) => {
    const story: Story = {
      limit: 5,
      grants: { extra: { amount: 10, from: '2024-01-10 12:00', to: '2024-01-25' } },
      usage: [
        ['2024-01-10', 7],
        ['2024-01-20', 3],
        ['2024-01-26', 4],
      ],
    }
    expect(tell(story, when)).toMatchObject({ left, overage })
  })

  test('usage that comes in late burns what was there at its own time', () => {
    const story: Story = {
      grants: { first: { amount: 10, from: START, to: '2024-01-15' }, second: { amount: 10, from: '2024-01-10' } },
      usage: [],
    }
    expect(tell({ ...story, usage: [['2024-01-12', 4]] }, '2024-01-20').left).toEqual(['second 10'])
    const late: Story['usage'] = [
      ['2024-01-05', 9],
      ['2024-01-12', 4],
    ]
    expect(tell({ ...story, usage: late }, '2024-01-20').left).toEqual(['second 7'])
  })

  test.each([
    { voided: '2024-01-15', when: '2024-01-14 23:59', left: ['extra 7'] },
    { voided: '2024-01-15', when: '2024-01-15', left: [] },
    { voided: '2024-01-15', when: '2024-01-20', left: [], overage: 5 },
    { voided: START, when: '2024-01-12', left: [], overage: 3 },
  ])('one that is voided at $voided is gone from there on: at $when', ({ voided, when, left, overage = 0 }) => {
    const story: Story = {
      grants: { extra: { amount: 10, from: START, voided } },
      usage: [
        ['2024-01-10', 3],
        ['2024-01-18', 5],
      ],
    }
    expect(tell(story, when)).toMatchObject({ left, overage })
  })

  test('what another grant burned while it lived is not burned again: the chain goes back as far as grants overlap', () => {
    const story: Story = {
      limit: 0,
      grants: {
        a: { amount: 10, from: '2024-01-10', to: '2024-02-20' },
        b: { amount: 10, from: '2024-02-10', to: '2024-03-20' },
        c: { amount: 10, from: '2024-03-10' },
      },
      usage: [
        ['2024-01-15', 6],
        ['2024-02-15', 6],
        ['2024-03-15', 10],
      ],
    }
    expect(tell(story, '2024-02-16').left).toEqual(['b 8'])
    expect(tell(story, '2024-03-16').left).toEqual(['c 8'])
    expect(tell(story, '2024-04-16').left).toEqual(['c 8'])
  })
})

describe('rollover', () => {
  test.each([
    { percent: '50', max: 100, used: 40, rolled: 30 },
    { percent: '50', max: 20, used: 40, rolled: 20 },
    { percent: '100', max: undefined, used: 0, rolled: 100 },
    { percent: '100', max: 0, used: 0, rolled: 0 },
    { percent: '0', max: undefined, used: 0, rolled: 0 },
    { percent: '100', max: undefined, used: 130, rolled: 0 },
    { percent: '12.5', max: undefined, used: 0, rolled: 12.5 },
  ])('$percent% of what 100 units less $used leave, at most $max: $rolled', ({ percent, max, used, rolled }) => {
    const rollover = max === undefined ? { percent } : { percent, max }
    expect(tell({ limit: 100, rollover, usage: [['2024-01-10', used]] }, '2024-02-01').remaining).toBe(100 + rolled)
  })

  test('rolled units are cut to the nano unit', () => {
    const history = historyOf({ limit: 1, rollover: { percent: '33.333333333' }, usage: [] })
    const used = [{ atMs: at('2024-01-02'), nano: 1n }]
    const [rolled] = stateAt(history, used, at('2024-02-01')).sources
    // 999,999,999 x 33.333333333 % is 333,333,332.996...
    expect(rolled?.left).toBe(333_333_332n)
  })

  test.each([
    { when: '2024-02-10', left: ['plan 90'] },
    { when: '2024-02-05', left: ['rollover 20', 'plan 100'] },
    { when: '2024-03-01', left: ['rollover 90', 'plan 100'] },
    { when: '2024-04-01', left: ['rollover 100', 'plan 100'] },
  ])('they burn before the allowance, end with the next reset, and do not roll over again: $when', ({ when, left }) => {
    const usage: Story['usage'] = [
      ['2024-01-10', 80],
      ['2024-02-08', 30],
    ]
    expect(tell({ limit: 100, rollover: { percent: '100' }, usage }, when).left).toEqual(left)
  })

  test('units that a grant covered stay unused in the plan; what is left of a grant does not roll over', () => {
    const story: Story = {
      limit: 100,
      rollover: { percent: '100' },
      grants: { extra: { amount: 50, from: START } },
      usage: [['2024-01-10', 30]],
    }
    expect(tell(story, '2024-02-01').left).toEqual(['extra 20', 'rollover 100', 'plan 100'])
  })

  test('the plan that a period ended with says whether its units roll over', () => {
    const story: Story = { limit: 100, rollover: { percent: '100' }, changes: [{ from: '2024-01-31', limit: 50 }], usage: [] }
    expect(tell(story, '2024-02-01').left).toEqual(['plan 50'])
    const other: Story = {
      limit: 100,
      changes: [{ from: '2024-01-31', limit: 50, rollover: { percent: '50' } }],
      usage: [['2024-01-02', 20]],
    }
    expect(tell(other, '2024-02-01').left).toEqual(['rollover 15', 'plan 50'])
  })

  test('a year of months anchored on the 31st', () => {
    const schedule = { anchorMs: at('2024-01-31'), fromMs: at('2024-01-31') }
    const story: Story = {
      limit: 10,
      rollover: { percent: '100' },
      schedule,
      usage: [
        ['2024-02-28 23:59', 1],
        ['2024-02-29', 2],
        ['2024-04-30', 4],
      ],
    }
    const starts = ['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30', '2024-05-31', '2024-12-31', '2025-01-31', '2025-02-28']
    expect(starts.map((when) => tell(story, when).remaining)).toEqual([10, 17, 20, 16, 20, 20, 20, 20])
  })
})

describe('manual resets', () => {
  const story: Story = {
    limit: 100,
    rollover: { percent: '100' },
    resets: ['2024-02-15'],
    grants: { extra: { amount: 10, from: START, priority: 200 } },
    usage: [
      ['2024-01-10', 90],
      ['2024-02-10', 113],
      ['2024-02-20', 30],
    ],
  }
  test.each([
    { when: '2024-02-01', left: ['rollover 10', 'plan 100', 'extra 10'], used: 0, overage: 0 },
    { when: '2024-02-14', left: ['extra 7'], used: 113, overage: 0 },
    { when: '2024-02-15', left: ['plan 100', 'extra 7'], used: 0, overage: 0 },
    { when: '2024-02-20', left: ['plan 70', 'extra 7'], used: 30, overage: 0 },
    { when: '2024-03-01', left: ['rollover 70', 'plan 100', 'extra 7'], used: 0, overage: 0 },
  ])('refill the allowance and forget the usage; grants stay burned, nothing rolls over: $when', ({ when, ...expected }) => {
    expect(tell(story, when)).toMatchObject(expected)
  })

  test('leave what had rolled over where it was', () => {
    const usage: Story['usage'] = [
      ['2024-01-10', 90],
      ['2024-02-10', 4],
    ]
    expect(tell({ ...story, grants: {}, usage }, '2024-02-15').left).toEqual(['rollover 6', 'plan 100'])
  })

  test('the period begins with the reset and ends as scheduled', () => {
    expect(stateAt(historyOf(story), [], at('2024-02-20')).period).toEqual({ startMs: at('2024-02-15'), endMs: at('2024-03-01') })
  })
})

describe('corrections', () => {
  test.each<{ rule: string; story: Partial<Story>; when?: string; left: string[]; used: number; overage: number }>([
    {
      rule: 'undo overage first',
      story: {
        usage: [
          ['2024-01-05', 20],
          ['2024-01-12', -4],
        ],
      },
      left: [],
      used: 16,
      overage: 5,
    },
    {
      rule: 'then give back what burned last',
      story: {
        usage: [
          ['2024-01-05', 9],
          ['2024-01-12', -4],
        ],
      },
      left: ['plan 3', 'late 3'],
      used: 5,
      overage: 0,
    },
    {
      rule: 'go beyond what was used and add to what is left',
      story: { usage: [['2024-01-12', -4]] },
      left: ['correction 4', 'early 3', 'plan 5', 'late 3'],
      used: -4,
      overage: 0,
    },
    {
      rule: 'end with the period',
      story: { usage: [['2024-01-12', -4]] },
      when: '2024-02-01',
      left: ['plan 5', 'late 3'],
      used: 0,
      overage: 0,
    },
    {
      rule: 'do not bring back a grant that is over',
      story: {
        usage: [
          ['2024-01-05', 3],
          ['2024-01-22', -4],
        ],
      },
      when: '2024-01-23',
      left: ['correction 1', 'plan 5', 'late 3'],
      used: -1,
      overage: 0,
    },
  ])('$rule', ({ story, when = '2024-01-15', left, used, overage }) => {
    const grants = {
      early: { amount: 3, from: START, to: '2024-01-20' },
      late: { amount: 3, from: START, priority: 200 },
      cut: { amount: 2, from: '2024-01-10', to: '2024-01-11' },
    }
    const told = tell({ limit: 5, grants, usage: [], ...story }, when)
    expect(told).toMatchObject({ left, used, overage })
  })
})
