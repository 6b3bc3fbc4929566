import type { CustomerKey, InstantMs } from '../identity.ts'

const NAME = /^(?!\.{1,2}$)(?!\s)[^\p{Cc}\p{Cs}]{1,255}(?<!\s)$/u

/**
 * A customer's key or one of its subjects: any text of 1 to 255 characters without control characters or blanks at its ends,
 * and not `.` or `..`, which no path of a URL can hold. Needs the flag `u`.
 */
export const CUSTOMER_NAME_PATTERN = NAME.source
export const CUSTOMER_NAME_CHARS_MAX = 255

/** Nearly all names; tested several times as fast. */
const PLAIN_NAME = /^[A-Za-z0-9_:@+-][A-Za-z0-9._:@/+-]{0,127}$/

export function isCustomerName(text: string): boolean {
  return PLAIN_NAME.test(text) || NAME.test(text)
}

/** Whose a subject was in a half-open time; `untilMs` is null while it is. */
export type NameAssignment = { readonly customer: CustomerKey; readonly fromMs: InstantMs; readonly untilMs: InstantMs | null }

/**
 * Every assignment of a name as a subject, in order of time; null of a name that never was one. Each begins where the one
 * before ended, the first at the beginning of time: events from before a customer was made are its own.
 */
export type NameHistory = readonly NameAssignment[] | null

/**
 * The customer that an event with this name belongs to: whoever had the name at the time of the event. A name that nobody had
 * is a customer's key, known or new.
 */
export function customerNamed(name: string, history: NameHistory, atMs: InstantMs): CustomerKey {
  const assignment = history?.find(({ fromMs, untilMs }) => fromMs <= atMs && (untilMs === null || atMs < untilMs))
  return assignment?.customer ?? (name as CustomerKey)
}

/** Whoever had the name before now and lost it after `sinceMs`, the latest first: a repeat of an event without a time may be theirs. */
export function formerCustomers(name: string, history: NameHistory, sinceMs: InstantMs, nowMs: InstantMs): readonly CustomerKey[] {
  if (history === null) return []
  const current = customerNamed(name, history, nowMs)
  const lost = history.filter(({ customer, untilMs }) => untilMs !== null && untilMs > sinceMs && customer !== current)
  return [...new Set(lost.toReversed().map(({ customer }) => customer))]
}
