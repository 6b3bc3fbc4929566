import type { Refusal, RefusalCode, WrongField } from '../../domain/refusal.ts'
import type { FieldProblem, RefusalMembers, RefusalRow } from './refusals/refusal-row.ts'
import { REFUSALS } from './refusals.ts'

/** A refusal as HTTP answers it. */
export type RefusalAnswer = {
  readonly code: RefusalCode
  readonly status: number
  readonly detail: string
  readonly errors?: readonly FieldProblem[]
  readonly retryAfterSeconds?: number
  readonly members?: RefusalMembers
}

export function refusalAnswer(refusal: Refusal): RefusalAnswer {
  const { code, errors, fields } = refusal
  const retryAfterSeconds = fields !== null && 'retryAfterSeconds' in fields ? fields.retryAfterSeconds : REFUSALS[code].retryAfterSeconds
  const members = fields === null ? undefined : membersOf(REFUSALS[code], fields)
  return {
    code,
    status: refusalStatus(refusal),
    detail: refusalDetail(refusal),
    ...(errors === undefined ? {} : { errors: errors.map(fieldProblem) }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(members === undefined ? {} : { members }),
  }
}

function membersOf(row: RefusalRow, fields: object): RefusalMembers | undefined {
  const members = row.members as ((fields: object) => RefusalMembers) | undefined
  return members?.(fields)
}

export function refusalDetail(refusal: Refusal): string {
  const { code, fields, errors = [], kept } = refusal
  const row = REFUSALS[code]
  const said = fields === null ? sayFields(row, errors) : sayWhole(row, fields, errors)
  return kept === undefined ? said : `${said} ${sayKept(kept)}`
}

/** An unknown key is 404 where it is in the path, and 400 where it is a field of an input. */
export function refusalStatus({ code, fields, kept, errors }: Refusal): number {
  if (fields === null) {
    const first = errors?.[0]
    const status = first !== undefined && 'refusal' in first ? refusalStatus(first.refusal) : 400
    return status === 404 ? 400 : status
  }
  const { status } = REFUSALS[code]
  // 503 would say that nothing was kept.
  return kept !== undefined && status === 503 ? 500 : status
}

function sayWhole(row: RefusalRow, fields: object, errors: readonly WrongField[]): string {
  // The types of `refuse` tie the fields to the code, and so to the row.
  const detail = row.detail as ((fields: object, errors: readonly FieldProblem[]) => string) | undefined
  return detail?.(fields, errors.map(fieldProblem)) ?? row.means
}

function sayFields({ opening = '', means }: RefusalRow, errors: readonly WrongField[]): string {
  const [first] = errors
  if (first === undefined) return means
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see errors)` : ''
  return `${opening}${fieldProblem(first).detail.replace(/\.$/, '')}${more}.`
}

export function fieldProblem(wrong: WrongField): FieldProblem {
  if (!('refusal' in wrong)) return wrong
  return { field: wrong.field, code: wrong.refusal.code, detail: refusalDetail(wrong.refusal) }
}

export function sayKept({ kept, events }: { readonly kept: number; readonly events: number }): string {
  return `${kept} of the ${events} events read before that, which have index 0 to ${events - 1}, were kept. Send the rest, or all of it again: a repeat is counted once.`
}
