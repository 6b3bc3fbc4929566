import type { Refusal, RefusalCode, WrongField } from '../domain/refusal.ts'

/** The code of the whole refusal is that of the first error; for a price it is `invalid_price`, whatever is wrong with it. */
export type ErrorList = {
  readonly fields: WrongField[]
  add(field: string, code: RefusalCode, detail: string): void
  /** Adds the refusal of one field. */
  refuse(field: string, refusal: Refusal): void
  addAll(code: RefusalCode, errors: readonly WrongField[]): void
  code(): RefusalCode | undefined
}

export function createErrorList(): ErrorList {
  const fields: WrongField[] = []
  let firstCode: RefusalCode | undefined
  function addAll(code: RefusalCode, errors: readonly WrongField[]): void {
    firstCode ??= code
    fields.push(...errors)
  }
  return {
    fields,
    add: (field, code, detail) => addAll(code, [{ field, code, detail }]),
    refuse: (field, refusal) => addAll(refusal.code, [{ field, refusal }]),
    addAll,
    code: () => firstCode,
  }
}
