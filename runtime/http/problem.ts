import { Fault } from '../../base/fault.ts'
import { type FieldError, type Refusal, RefusalError } from '../../domain/refusal.ts'

/** RFC 9457 problem details, as every error answer of the server carries them. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly errors?: readonly FieldError[]
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8'

/** Seconds a caller should wait when the fault did not say: long enough for a reconnect, short enough for a restart. */
const RETRY_AFTER_SECONDS = 2

export function problem(code: string, status: number, detail: string, errors?: readonly FieldError[]): Problem {
  const title = code.charAt(0).toUpperCase() + code.slice(1).replaceAll('_', ' ')
  return { type: `urn:tollgate:problem:${code}`, title, status, detail, code, ...(errors === undefined ? {} : { errors }) }
}

export function problemOfRefusal(refusal: Refusal): Problem {
  return problem(refusal.code, refusal.status, refusal.detail, refusal.errors)
}

export type ProblemAnswer = { readonly problem: Problem; readonly retryAfterSeconds?: number }

/** What a thrown error is answered with. Only texts meant for callers get out: an unexpected error is a bare `internal_error`. */
export function problemOfError(error: unknown): ProblemAnswer {
  if (error instanceof RefusalError) {
    const { refusal } = error
    return {
      problem: problemOfRefusal(refusal),
      ...(refusal.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: refusal.retryAfterSeconds }),
    }
  }
  if (error instanceof Fault) {
    return error.canRetry
      ? { problem: problem(error.code, 503, error.publicText), retryAfterSeconds: RETRY_AFTER_SECONDS }
      : { problem: problem(error.code, 500, error.publicText) }
  }
  return { problem: problemOfFrameworkError(error) }
}

/** Fastify's own errors, by their stable codes. */
function problemOfFrameworkError(error: unknown): Problem {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown }
  switch (code) {
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return problem('invalid_json', 400, 'The body is empty but its content type says JSON; send a JSON body.')
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return problem('invalid_json', 400, 'The body is not JSON (RFC 8259), or has a __proto__ or constructor.prototype property.')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problem('unsupported_media_type', 415, 'This route does not read this content type; send application/json.')
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problem('payload_too_large', 413, 'The body is larger than this route takes; send less at once.')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return problem('invalid_content_length', 400, 'The body has not as many bytes as its Content-Length says; send it again, whole.')
    case 'FST_ERR_BAD_URL':
      return problem('invalid_url', 400, 'The path is not valid percent-encoding.')
    default:
  }
  // JSON with poisoned keys reaches us as a SyntaxError without a code of fastify's.
  if (error instanceof SyntaxError && statusCode === 400) {
    return problem('invalid_json', 400, 'The body is not JSON (RFC 8259), or has a __proto__ or constructor.prototype property.')
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return problem('bad_request', statusCode, 'The request could not be read; check its headers and body.')
  }
  return problem('internal_error', 500, 'The server met an error of its own; it was logged under this request id.')
}
