import type { PlanInterval } from '../../domain/time/intervals.ts'
import { instantMsOf } from '../instant-ms.ts'
import type { OwnOverride } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'

type Reset = NonNullable<OwnOverride['reset']>

/** OpenMeter's name of an interval, its ISO duration, and ours for resets and for plans. */
const INTERVALS: readonly { readonly name?: string; readonly iso: string; readonly reset: Reset; readonly plan: PlanInterval | null }[] = [
  { name: 'DAY', iso: 'P1D', reset: 'day', plan: 'day' },
  { name: 'WEEK', iso: 'P1W', reset: 'week', plan: 'week' },
  { name: 'MONTH', iso: 'P1M', reset: 'month', plan: 'month' },
  { name: 'YEAR', iso: 'P1Y', reset: 'year', plan: 'year' },
  { iso: 'PT1H', reset: 'hour', plan: null },
  { iso: 'P28D', reset: '28days', plan: '28days' },
  { iso: 'P4W', reset: '28days', plan: '28days' },
  { iso: 'P3M', reset: 'quarter', plan: '3months' },
]
/** Plans have one more. */
const HALF_YEAR = { iso: 'P6M', plan: '6months' } as const

/** `MONTH` or `P1M`. */
export function resetOf(field: string, interval: string): Reset {
  const known = INTERVALS.find(({ name, iso }) => interval === name || interval === iso)
  return (
    known?.reset ??
    refuseInput(field, `${field} must be one of ${namesOf((each) => each.name ?? each.iso)}, was '${interval.slice(0, 40)}'`)
  )
}

/** `P1M`. */
export function planIntervalOf(field: string, cadence: string): PlanInterval {
  if (cadence === HALF_YEAR.iso) return HALF_YEAR.plan
  const known = INTERVALS.find(({ iso }) => cadence === iso)?.plan ?? null
  return (
    known ??
    refuseInput(field, `${field} must be one of ${namesOf(({ iso, plan }) => (plan === null ? '' : iso))}, was '${cadence.slice(0, 40)}'`)
  )
}

/** `once` has no cadence. */
export function cadenceOf(interval: PlanInterval): string | null {
  if (interval === HALF_YEAR.plan) return HALF_YEAR.iso
  return INTERVALS.find(({ plan }) => plan === interval)?.iso ?? null
}

export function intervalJson(reset: Reset): { readonly interval: string; readonly intervalISO: string } | null {
  const known = INTERVALS.find((each) => each.reset === reset)
  return known === undefined ? null : { interval: known.name ?? known.iso, intervalISO: known.iso }
}

/** The interval of a period of which only the length is known, as a plan gives it. */
export function resetOfPeriod(period: { readonly start: string; readonly end: string } | null): Reset {
  if (period === null) return 'never'
  const days = (instantMsOf(period.end) - instantMsOf(period.start)) / DAY_MS
  return LENGTHS.find(([most]) => days <= most)?.[1] ?? 'never'
}

const DAY_MS = 86_400_000
/** The longest of each; a month of 28 days is a month. */
const LENGTHS: readonly (readonly [days: number, reset: Reset])[] = [
  [0.05, 'hour'],
  [1.1, 'day'],
  [7.1, 'week'],
  [31.1, 'month'],
  [92.1, 'quarter'],
  [366.1, 'year'],
]

function namesOf(nameOf: (interval: (typeof INTERVALS)[number]) => string): string {
  return INTERVALS.map(nameOf)
    .filter((name) => name !== '')
    .join(', ')
}
