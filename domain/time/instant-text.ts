import type { InstantMs } from '../identity.ts'
import { dateOfDays, daysOfMonth } from './dates.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './durations.ts'

/**
 * The one reader of instants in any input: RFC 3339, and the ISO 8601 variants that some writers produce (a comma, an offset
 * without its colon or minutes). `2026-07-01T09:30:00.123456+02:00`; digits finer than a millisecond are cut. Undefined for
 * anything else: a date alone, no offset, a day or an hour that does not exist. A leap second, which RFC 3339 allows at the end
 * of a UTC month, is the last millisecond before it, as our clocks do not show it. Parsed by hand as it runs for every event: a
 * quarter of the time that a pattern and `Date.parse` take.
 */
export function parseInstantText(text: string): InstantMs | undefined {
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 2)
  const day = digits(text, 8, 2)
  const hour = digits(text, 11, 2)
  const minute = digits(text, 14, 2)
  const second = digits(text, 17, 2)
  // A part that is not digits makes the sum NaN.
  if (Number.isNaN(year + month + day + hour + minute + second)) return undefined
  const separator = text.charCodeAt(10)
  const isShaped =
    text.charCodeAt(4) === DASH &&
    text.charCodeAt(7) === DASH &&
    (separator === UPPER_T || separator === LOWER_T || separator === SPACE) &&
    text.charCodeAt(13) === COLON &&
    text.charCodeAt(16) === COLON
  if (!isShaped || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60)
    return undefined

  let at = 19
  let millisecond = 0
  if (text.charCodeAt(at) === DOT || text.charCodeAt(at) === COMMA) {
    const first = ++at
    for (let weight = 100; isDigit(text.charCodeAt(at)); at++, weight = Math.floor(weight / 10))
      millisecond += (text.charCodeAt(at) - ZERO) * weight
    if (at === first) return undefined
  }
  const offsetMs = offsetAt(text, at)
  if (offsetMs === undefined) return undefined
  const minuteMs = (daysOfMonth(year * 12 + month - 1) + day - 1) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS - offsetMs
  if (second === 60) return isLastMinuteOfMonth(minuteMs) ? ((minuteMs + MINUTE_MS - 1) as InstantMs) : undefined
  return (minuteMs + second * 1000 + millisecond) as InstantMs
}

/** Days since 1970-01-01 of a date alone: `2026-07-01`. */
export function parseDateText(text: string): number | undefined {
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 2)
  const day = digits(text, 8, 2)
  const isShaped = text.length === 10 && text.charCodeAt(4) === DASH && text.charCodeAt(7) === DASH
  if (!isShaped || !(month >= 1 && month <= 12) || !(day >= 1 && day <= daysIn(year, month))) return undefined
  return daysOfMonth(year * 12 + month - 1) + day - 1
}

function isLastMinuteOfMonth(minuteMs: number): boolean {
  const nextMs = minuteMs + MINUTE_MS
  return nextMs % DAY_MS === 0 && dateOfDays(nextMs / DAY_MS).day === 1
}

const ZERO = 48
const DASH = 45
const PLUS = 43
const COLON = 58
const DOT = 46
const COMMA = 44
const SPACE = 32
const UPPER_T = 84
const LOWER_T = 116

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9
}

function digits(text: string, at: number, count: number): number {
  let value = 0
  for (let n = at; n < at + count; n++) {
    const code = text.charCodeAt(n)
    if (!isDigit(code)) return Number.NaN
    value = value * 10 + code - ZERO
  }
  return value
}

/** `Z`, `+02:00`, `+0200` or `+02`, and nothing after it. */
function offsetAt(text: string, at: number): number | undefined {
  const sign = text.charCodeAt(at)
  if (text.length === at + 1 && (text[at] === 'Z' || text[at] === 'z')) return 0
  if (sign !== PLUS && sign !== DASH) return undefined
  const hours = digits(text, at + 1, 2)
  let minutes = 0
  if (text.length !== at + 3) {
    const minutesAt = text.charCodeAt(at + 3) === COLON ? at + 4 : at + 3
    minutes = digits(text, minutesAt, 2)
    if (text.length !== minutesAt + 2) return undefined
  }
  if (!(hours <= 23 && minutes <= 59)) return undefined
  return (hours * HOUR_MS + minutes * MINUTE_MS) * (sign === DASH ? -1 : 1)
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
