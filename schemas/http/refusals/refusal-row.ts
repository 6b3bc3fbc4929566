/** How HTTP answers a code, and how the error reference explains it. */
export type RefusalRow<Fields = never> = {
  readonly status: number
  /** What the code means to a caller, and what to do then: one line each, for the reference. */
  readonly means: string
  readonly next: string
  /** What happened, the value, the limit and the next move. Absent for a code that is only ever explained field by field. */
  readonly detail?: (fields: Fields, errors: readonly FieldProblem[]) => string
  /** Stands before the first wrong field where an input is refused field by field. */
  readonly opening?: string
  readonly retryAfterSeconds?: number
  /** Values that an app shows or decides by, as members of the problem beside `code`; in the formats of the wire. */
  readonly members?: (fields: Fields) => RefusalMembers
}

export type RefusalMembers = Readonly<Record<string, string | null>>

export type RefusalRows = Readonly<Record<string, RefusalRow>>

/** A wrong field in an answer. */
export type FieldProblem = { readonly field: string; readonly code: string; readonly detail: string }

/** The fields of each code, taken from the parameters of its sentence. */
export type FieldsOf<Rows extends RefusalRows> = {
  readonly [Code in keyof Rows]: Rows[Code] extends { readonly detail: infer Detail extends (...args: never[]) => string }
    ? Parameters<Detail> extends []
      ? NoFields
      : Parameters<Detail>[0]
    : never
}

type NoFields = Readonly<Record<never, never>>

/** The row of a code about one wrong field; the sentence is the field's own. */
export function wrongField(means: string, next = 'Correct the field that `errors` names.') {
  return { status: 400, means, next } as const
}
