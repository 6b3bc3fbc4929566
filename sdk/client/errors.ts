import type { Used } from './settlement.ts'

/** An answer or failure that kept a call from succeeding. `code` is stable: the server's own, or one of the SDK's. */
export class TollgateError extends Error {
  readonly code: string
  /** HTTP status; 0 when there was no answer at all. */
  readonly status: number
  /** True when the same call may succeed later; the SDK has already retried within its bound. */
  readonly canRetry: boolean

  constructor(code: string, message: string, options: { status: number; canRetry: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TollgateError'
    this.code = code
    this.status = options.status
    this.canRetry = options.canRetry
  }
}

/** What was left when a hard limit refused: exact decimal strings. Null where the server did not say. */
export type LimitReached = {
  readonly limit: string | null
  readonly used: string | null
  readonly held: string | null
  readonly remaining: string | null
  /** ISO 8601; null also when the usage never resets. */
  readonly resetsAt: string | null
}

/** A hard limit was reached: nothing was held. */
export class LimitReachedError extends TollgateError implements LimitReached {
  readonly limit: string | null
  readonly used: string | null
  readonly held: string | null
  readonly remaining: string | null
  readonly resetsAt: string | null

  constructor(message: string, status: number, reached: Partial<LimitReached> = {}) {
    super('hard_limit_reached', message, { status, canRetry: false })
    this.name = 'LimitReachedError'
    const { limit = null, used = null, held = null, remaining = null, resetsAt = null } = reached
    this.limit = limit
    this.used = used
    this.held = held
    this.remaining = remaining
    this.resetsAt = resetsAt
  }
}

/** No answer within the bounds: `unreachable`, `timeout`, `unreadable_answer`, or the server's own 408, 429 or 5xx. */
export class UnavailableError extends TollgateError {
  /** How long the server asked us to wait; 0 when it did not say. */
  readonly retryAfterMs: number

  constructor(code: string, message: string, options: { status: number; retryAfterMs?: number; cause?: unknown }) {
    super(code, message, { ...options, canRetry: true })
    this.name = 'UnavailableError'
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}

/**
 * The work inside `withReservation` is done, but its usage could not be settled. The result is not lost: serve it, and
 * `settle(error.reservation, error.used)` later, which is safe to repeat and works after the hold's expiry too.
 */
export class UnsettledError extends TollgateError {
  readonly result: unknown
  readonly reservation: string
  readonly used: Used

  constructor(unsettled: { result: unknown; reservation: string; used: Used; cause: TollgateError }) {
    const { cause, reservation, used } = unsettled
    const what = 'events' in used ? `${used.events.length} events` : String(used.quantity)
    const message = `reservation ${reservation} was used (${what}) but could not be settled: ${cause.message}`
    super(cause.code, message, { status: cause.status, canRetry: cause.canRetry, cause })
    this.name = 'UnsettledError'
    this.result = unsettled.result
    this.reservation = reservation
    this.used = used
  }
}
