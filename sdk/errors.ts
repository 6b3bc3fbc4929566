/** Any answer or failure that kept a call from succeeding. `code` is stable: the server's own, or one of the SDK's. */
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

/** A hard limit stands in the way: nothing was held. */
export class LimitReachedError extends TollgateError {
  constructor(message: string) {
    super('hard_limit_reached', message, { status: 409, canRetry: false })
    this.name = 'LimitReachedError'
  }
}

/** No answer within the bound on tries: `tollgate_unreachable`, `timeout`, or the server's own 429 or 503. */
export class UnavailableError extends TollgateError {
  constructor(code: string, message: string, options: { status: number; cause?: unknown }) {
    super(code, message, { ...options, canRetry: true })
    this.name = 'UnavailableError'
  }
}
