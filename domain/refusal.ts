/**
 * A refusal is the caller's failure and a plain value: stable snake_case `code`, and a `detail` that says what
 * happened, the value, the limit and the next move. `status` is the HTTP status it is answered with.
 */
export type Refusal = {
  readonly kind: 'refusal'
  readonly code: string
  readonly detail: string
  readonly status: number
  readonly errors?: readonly FieldError[]
  readonly retryAfterSeconds?: number
}

/** One wrong field of a request body: `field` is a JSON path without the leading `$.`: `tiers[1].upTo`. */
export type FieldError = { readonly field: string; readonly code: string; readonly detail: string }

export type Outcome<Value> = Value | Refusal

export function refuse(
  code: string,
  detail: string,
  more: { status?: number; errors?: readonly FieldError[]; retryAfterSeconds?: number } = {},
): Refusal {
  return { kind: 'refusal', code, detail, status: 400, ...more }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'refusal'
}

/** Carries a refusal through code that can only throw, such as a route handler; answered as problem+json. */
export class RefusalError extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.detail)
    this.name = 'RefusalError'
    this.refusal = refusal
  }
}

/** The value, or a throw that the HTTP error handler answers with the refusal. */
export function orThrow<Value>(outcome: Outcome<Value>): Value {
  if (isRefusal(outcome)) throw new RefusalError(outcome)
  return outcome
}
