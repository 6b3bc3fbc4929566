import type { FieldError } from '../domain/refusal.ts'

/** The code of the whole is that of the first error; of a price it is `invalid_price`, whatever is wrong with it. */
export type ErrorList = {
  readonly fields: FieldError[]
  add(field: string, code: string, detail: string): void
  addAll(code: string, errors: readonly FieldError[]): void
  code(): string | undefined
}

export function createErrorList(): ErrorList {
  const fields: FieldError[] = []
  let firstCode: string | undefined
  return {
    fields,
    add(field, code, detail) {
      firstCode ??= code
      fields.push({ field, code, detail })
    },
    addAll(code, errors) {
      firstCode ??= code
      fields.push(...errors)
    },
    code: () => firstCode,
  }
}
