import { expect, test } from 'vitest'
import { isReached } from './alert.ts'

const percent = (percentNano: bigint) => ({ percentNano: percentNano * 1_000_000_000n })

test.each([
  { why: 'just below', at: percent(80n), usedUnits: 799n, limit: 1_000n, is: false },
  { why: 'at it', at: percent(80n), usedUnits: 800n, limit: 1_000n, is: true },
  { why: 'a limit that does not divide', at: percent(80n), usedUnits: 3n, limit: 4n, is: false },
  { why: 'beyond the limit', at: percent(120n), usedUnits: 12n, limit: 10n, is: true },
  { why: 'without a limit', at: percent(80n), usedUnits: 10n ** 30n, limit: null, is: false },
  { why: 'nothing used of nothing', at: percent(80n), usedUnits: 0n, limit: 0n, is: false },
  { why: 'something used of nothing', at: percent(80n), usedUnits: 1n, limit: 0n, is: true },
  { why: 'units, just below', at: { units: 5n }, usedUnits: 4n, limit: null, is: false },
  { why: 'units', at: { units: 5n }, usedUnits: 5n, limit: null, is: true },
  { why: 'usage below zero', at: { units: 5n }, usedUnits: -9n, limit: 10n, is: false },
])('$why: $is', ({ at, usedUnits, limit, is }) => {
  expect(isReached(at, { usedUnits, limit })).toBe(is)
})
