import { expect, test } from 'vitest'
import { casesOf, instant } from '../../test/support/billing/billing-vectors.ts'
import type { InstantMs, Period } from '../identity.ts'
import { billingPeriodAt } from './calendar.ts'
import type { PlanInterval } from './intervals.ts'

type Input = {
  readonly interval: PlanInterval
  readonly anchor: string
  readonly startAt: string
  readonly count: number
  readonly timezone: string
}
type Expected = { readonly periods: readonly { readonly start: string; readonly end: string; readonly hours: string }[] }

test.each(casesOf<Input, Expected>('calendar'))('$id', ({ input, expected }) => {
  const periods: Period[] = []
  for (let atMs: InstantMs = instant(input.startAt); periods.length < input.count; ) {
    const period = billingPeriodAt(input.interval, instant(input.anchor), instant(input.startAt), null, atMs, input.timezone)
    periods.push(period)
    atMs = period.endMs
  }
  expect(
    periods.map(({ startMs, endMs }) => ({
      start: new Date(startMs).toISOString().replace('.000Z', 'Z'),
      end: new Date(endMs).toISOString().replace('.000Z', 'Z'),
      hours: String((endMs - startMs) / 3_600_000),
    })),
  ).toEqual(expected.periods)
})
