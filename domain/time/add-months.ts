import type { InstantMs } from '../../base/clock.ts'
import { dateOfDays, daysOfMonth } from './dates.ts'
import { DAY_MS } from './durations.ts'

/** The same day and time of a later month in UTC; the last day of the month where it has fewer: 31 January and 1 month is 28 February. */
export function addMonths(atMs: InstantMs, months: number): InstantMs {
  const days = Math.floor(atMs / DAY_MS)
  const { monthNumber, day } = dateOfDays(days)
  const firstDays = daysOfMonth(monthNumber + months)
  const lastDays = daysOfMonth(monthNumber + months + 1) - 1
  return (Math.min(firstDays + day - 1, lastDays) * DAY_MS + (atMs - days * DAY_MS)) as InstantMs
}
