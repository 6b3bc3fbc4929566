import { codeOfField, type Refusal, type RefusalCode, refuseFields, type WrongField } from '../domain/refusal.ts'

/** One refusal for all wrong fields of a body, with the code of the first. Null when there are none. */
export function refuseWrongFields(errors: readonly WrongField[], code?: RefusalCode): Refusal | null {
  const [first] = errors
  return first === undefined ? null : refuseFields(code ?? codeOfField(first), errors.slice(0, FIELD_ERRORS_MAX))
}

const FIELD_ERRORS_MAX = 20
