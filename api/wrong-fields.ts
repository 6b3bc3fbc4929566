import { type FieldError, type Refusal, refuse } from '../domain/refusal.ts'

/** One refusal for all wrong fields of a body. Its code is that of the first. Null when there are none. */
export function refuseWrongFields(errors: readonly FieldError[], code = errors[0]?.code): Refusal | null {
  const [first] = errors
  if (first === undefined || code === undefined) return null
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : ''
  return refuse(code, `${first.detail}${more}.`, { errors: errors.slice(0, FIELD_ERRORS_MAX) })
}

const FIELD_ERRORS_MAX = 20
