import type { Used } from './settlement.ts'

/** Everything that a call throws, besides the reason of an aborted signal: a closed union, told apart by `name`. */
export type TollgateFailure = LimitReachedError | UnavailableError | UnsettledError | RequestError

/** An answer or failure that kept a call from succeeding. `code` is stable: the server's own, or one of the SDK's. */
export abstract class TollgateError extends Error {
  abstract override readonly name: TollgateFailure['name']
  readonly code: string
  /** HTTP status; 0 when there was no answer at all. */
  readonly status: number
  /** True when the same call may succeed later; the SDK has already retried within its bound. */
  readonly canRetry: boolean

  constructor(code: string, message: string, options: { status: number; canRetry: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
    this.canRetry = options.canRetry
  }
}

/** Narrows what was caught to the union, so that a `switch` over `name` is checked by the compiler. */
export function isTollgateFailure(error: unknown): error is TollgateFailure {
  return error instanceof TollgateError
}

/** Any other answer, with the server's `code` and `status`: a mistake of the call. */
export class RequestError extends TollgateError {
  override readonly name = 'RequestError'
  /** The fields that are wrong, or the events of a batch, as the server names them. */
  readonly errors: readonly FieldProblem[]

  constructor(code: string, message: string, options: { status: number; errors?: readonly FieldProblem[]; cause?: unknown }) {
    super(code, message, { ...options, canRetry: false })
    this.errors = options.errors ?? []
  }
}

export type FieldProblem = { readonly field: string; readonly code: string; readonly detail: string }

/** A failure as it is; anything else thrown (by a `fetch` or `sleep` that was handed in) as `sdk_failed`. */
export function tollgateFailureOf(error: unknown): TollgateFailure {
  return isTollgateFailure(error) ? error : new RequestError('sdk_failed', String(error), { status: 0, cause: error })
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
  override readonly name = 'LimitReachedError'
  readonly limit: string | null
  readonly used: string | null
  readonly held: string | null
  readonly remaining: string | null
  readonly resetsAt: string | null

  constructor(message: string, status: number, reached: Partial<LimitReached> = {}) {
    super('hard_limit_reached', message, { status, canRetry: false })
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
  override readonly name = 'UnavailableError'
  /** How long the server asked us to wait; 0 when it did not say. */
  readonly retryAfterMs: number

  constructor(code: string, message: string, options: { status: number; retryAfterMs?: number; cause?: unknown }) {
    super(code, message, { ...options, canRetry: true })
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}

/**
 * The work inside `withReservation` is done, but its usage could not be settled. The result is not lost: serve it, and
 * `settle(error.reservation, error.used)` later, which is safe to repeat and works after the hold's expiry too.
 */
export class UnsettledError extends TollgateError {
  override readonly name = 'UnsettledError'
  readonly result: unknown
  readonly reservation: string
  readonly used: Used

  constructor(unsettled: { result: unknown; reservation: string; used: Used; cause: TollgateError }) {
    const { cause, reservation, used } = unsettled
    const what = 'events' in used ? `${used.events.length} events` : String(used.quantity)
    const message = `reservation ${reservation} was used (${what}) but could not be settled: ${cause.message}`
    super(cause.code, message, { status: cause.status, canRetry: cause.canRetry, cause })
    this.result = unsettled.result
    this.reservation = reservation
    this.used = used
  }
}
