import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { at, type Story, tell } from '../../test/support/models/burn-down-story.ts'

/** The story of the table in docs/limits.md, whose rows are the expected results. */
const STORY: Story = {
  limit: 1000,
  rollover: { percent: '50', max: 300 },
  schedule: { anchorMs: at('2024-01-31'), fromMs: at('2024-01-31') },
  grants: {
    welcome: { amount: 200, from: '2024-02-10', to: '2024-03-10' },
    'top-up': { amount: 500, from: '2024-03-05', priority: 200 },
    sorry: { amount: 100, from: '2024-03-15' },
  },
  usage: [
    ['2024-02-05', 400],
    ['2024-02-20', 150],
    ['2024-03-02', 100],
    ['2024-03-08', 1500],
    ['2024-03-12', 300],
    ['2024-03-20', -70],
  ],
}

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => /^\| \d{4}-/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, when = '', happens = '', left = '', remaining, overage]) => ({ when, happens, left, remaining, overage }))

test('the page has its worked example', () => {
  expect(rows.length).toBeGreaterThan(10)
})

test.each(rows)('$when, $happens: $left', ({ when, left, remaining, overage }) => {
  const told = tell(STORY, when)
  expect({ left: told.left.join(', ') || 'nothing', remaining: `${told.remaining}`, overage: `${told.overage}` }).toEqual({
    left,
    remaining,
    overage,
  })
})
