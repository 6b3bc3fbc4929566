/**
 * A refusal is the caller's failure and a plain value: a stable snake_case code, and the fields that say which value met which
 * limit. Status, sentence and next step belong to whoever answers: for HTTP they stand in `schemas/http/refusals.ts`.
 */
export type Refusal = { [Code in RefusalCode]: RefusalOf<Code> }[RefusalCode]

/** `fields` is null where the caller's input is wrong and `errors` explain it field by field. */
export type RefusalOf<Code extends RefusalCode> = {
  readonly kind: 'refusal'
  readonly code: Code
  readonly fields: RefusalFields[Code] | null
  readonly errors?: readonly WrongField[]
  /** The events of the request that are kept although the rest is refused. */
  readonly kept?: KeptEvents
}

/** Every code with its fields. Each table of `schemas/http/refusals/` adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled where the codes are declared, and a type alias cannot be.
export interface RefusalFields {}
export type RefusalCode = keyof RefusalFields

/** One wrong field of an input: `field` is a JSON path without the leading `$.`: `tiers[1].upTo`. */
export type WrongField = FieldError | { readonly field: string; readonly refusal: Refusal }
/** `detail` is a sentence that names the field, the value and the limit. */
export type FieldError = { readonly field: string; readonly code: RefusalCode; readonly detail: string }

export type KeptEvents = { readonly kept: number; readonly events: number }

export type Outcome<Value> = Value | Refusal

export function refuse<Code extends RefusalCode>(code: Code, fields: RefusalFields[Code], errors?: readonly WrongField[]): Refusal {
  return (errors === undefined ? { kind: 'refusal', code, fields } : { kind: 'refusal', code, fields, errors }) as Refusal
}

/** The input is refused for one of its fields, such as a key of something that does not exist. */
export function refuseField(field: string, refusal: Refusal): Refusal {
  return refuseFields(refusal.code, [{ field, refusal }])
}

/** The input is refused for these of its fields; the first one also gives the sentence of the whole refusal. */
export function refuseFields(code: RefusalCode, errors: readonly WrongField[]): Refusal {
  return { kind: 'refusal', code, fields: null, errors } as Refusal
}

export function codeOfField(wrong: WrongField): RefusalCode {
  return 'refusal' in wrong ? wrong.refusal.code : wrong.code
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'refusal'
}

/** Carries a refusal through code that can only throw, such as a route handler; the HTTP error handler answers it. */
export class RefusalError extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.code)
    this.name = 'RefusalError'
    this.refusal = refusal
  }
}

/** The value, or a throw that the HTTP error handler answers with the refusal. */
export function orThrow<Value>(outcome: Outcome<Value>): Value {
  if (isRefusal(outcome)) throw new RefusalError(outcome)
  return outcome
}
