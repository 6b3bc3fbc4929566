/**
 * Days since 1970-01-01 of the first of a month of the proleptic Gregorian calendar; `monthNumber` is year * 12 + month
 * with January 0. Integer arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", as is the
 * inverse below: an era is 400 years of 146,097 days, and years begin in March so that the leap day comes last.
 */
export function daysOfMonth(monthNumber: number): number {
  const monthFromMarch = monthNumber - 2
  const year = Math.floor(monthFromMarch / 12)
  const month = monthFromMarch - year * 12
  const era = Math.floor(year / 400)
  const yearOfEra = year - era * 400
  const dayOfYear = Math.floor((153 * month + 2) / 5)
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** The month and its day, counted from 1, of a day number; days count from 1970-01-01. */
export function dateOfDays(daysSinceEpoch: number): { readonly monthNumber: number; readonly day: number } {
  const shifted = daysSinceEpoch + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  return { monthNumber: (era * 400 + yearOfEra) * 12 + month + 2, day }
}
