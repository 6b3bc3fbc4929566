import { Fault } from '../../base/fault.ts'
import { type Refusal, RefusalError, refuse } from '../../domain/refusal.ts'
import { AnsweredProblem, type Problem } from '../../schemas/http/problem.ts'
import { refusalAnswer } from '../../schemas/http/refusal-answer.ts'
import type { FieldProblem } from '../../schemas/http/refusals/refusal-row.ts'

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8'

/** Seconds that a caller should wait when the fault does not say: long enough for a reconnect, short enough for a restart. */
const RETRY_AFTER_SECONDS = 2

export type ProblemAnswer = { readonly problem: Problem; readonly retryAfterSeconds?: number }

/** The answer to a thrown error. Only texts meant for callers are shown: an unexpected error is a bare `internal_error`. */
export function problemOfError(error: unknown): ProblemAnswer {
  if (error instanceof RefusalError) return problemOfRefusal(error.refusal)
  if (error instanceof AnsweredProblem) {
    const { problem, retryAfterSeconds } = error
    return { problem, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
  }
  if (error instanceof Fault) {
    return error.canRetry
      ? { problem: problem(error.code, 503, error.publicText), retryAfterSeconds: RETRY_AFTER_SECONDS }
      : { problem: problem(error.code, 500, error.publicText) }
  }
  return problemOfFrameworkError(error)
}

export function problemOfRefusal(refusal: Refusal): ProblemAnswer {
  const { code, status, detail, errors, retryAfterSeconds, members } = refusalAnswer(refusal)
  return {
    problem: { ...problem(code, status, detail, errors), ...members },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  }
}

function problem(code: string, status: number, detail: string, errors?: readonly FieldProblem[]): Problem {
  const title = code.charAt(0).toUpperCase() + code.slice(1).replaceAll('_', ' ')
  return { type: `urn:tollgate:problem:${code}`, title, status, detail, code, ...(errors === undefined ? {} : { errors }) }
}

function problemOfFrameworkError(error: unknown): ProblemAnswer {
  const refusal = refusalOfFramework(error)
  if (refusal !== null) return problemOfRefusal(refusal)
  const { statusCode } = (error ?? {}) as { statusCode?: unknown }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    const answer = problemOfRefusal(refuse('bad_request', { part: 'headers_or_body' }))
    return { problem: { ...answer.problem, status: statusCode } }
  }
  return { problem: problem('internal_error', 500, 'The server met an error of its own; it was logged under this request id.') }
}

/** Fastify's own errors, by their stable codes. */
function refusalOfFramework(error: unknown): Refusal | null {
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown }
  switch (code) {
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refuse('invalid_json', { why: 'empty' })
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return refuse('invalid_json', { why: 'malformed' })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse('unsupported_media_type', { has: null, takes: ['application/json'] })
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refuse('payload_too_large', { bytes: 'more', bytesMax: null })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refuse('invalid_content_length', {})
    case 'FST_ERR_BAD_URL':
      return refuse('invalid_url', {})
    default:
  }
  // JSON with poisoned keys reaches us as a SyntaxError without a code of fastify's.
  return error instanceof SyntaxError && statusCode === 400 ? refuse('invalid_json', { why: 'malformed' }) : null
}
