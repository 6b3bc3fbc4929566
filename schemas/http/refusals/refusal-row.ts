/** What HTTP answers a code with, and what the error reference says of it. */
export type RefusalRow<Fields = never> = {
  readonly status: number
  /** What it means when a caller sees it, and what to do then: one line each, for the reference. */
  readonly means: string
  readonly next: string
  /** What happened, the value, the limit and the next move. A code without it is only ever told field by field. */
  readonly detail?: (fields: Fields, errors: readonly FieldProblem[]) => string
  /** Stands before the first wrong field where an input is refused field by field. */
  readonly opening?: string
  readonly retryAfterSeconds?: number
}

export type RefusalRows = Readonly<Record<string, RefusalRow>>

/** A wrong field as it is answered. */
export type FieldProblem = { readonly field: string; readonly code: string; readonly detail: string }

/** The fields of each code, as its sentence takes them. */
export type FieldsOf<Rows extends RefusalRows> = {
  readonly [Code in keyof Rows]: Rows[Code] extends { readonly detail: infer Detail extends (...args: never[]) => string }
    ? Parameters<Detail> extends []
      ? NoFields
      : Parameters<Detail>[0]
    : never
}

type NoFields = Readonly<Record<never, never>>

/** The row of a code that names what is wrong with one field; the sentence is the field's own. */
export function wrongField(means: string, next = 'Correct the field that `errors` names.') {
  return { status: 400, means, next } as const
}
