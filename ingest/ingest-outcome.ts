import { Fault } from '../base/fault.ts'
import { type Refusal, RefusalError, refuse } from '../domain/refusal.ts'
import type { EventWarning } from './warnings/event-warnings.ts'

/** Why events were not taken: the sender's failure, or the world's. */
export type NotTaken = Refusal | Fault
export type RejectedEvent = { readonly index: number; readonly id: string | null; readonly why: NotTaken }
export type Verdicts = {
  readonly accepted: number
  readonly rejected: readonly RejectedEvent[]
  readonly warnings: readonly EventWarning[]
}

export type IngestOutcome = Verdicts | NotTaken

const ERRORS_SHOWN_MAX = 100

/** Why a request is not taken, from the error thrown while it was served; a bug is thrown on. */
export function causeOf(error: unknown): NotTaken {
  if (error instanceof RefusalError) return error.refusal
  if (error instanceof Fault) return error
  throw error
}

export function noneAcceptable(events: number, rejected: readonly RejectedEvent[], isAtomic: boolean): Refusal {
  if (events === 0) return refuse('no_events', {})
  const errors = rejected
    .slice(0, ERRORS_SHOWN_MAX)
    .flatMap(({ index, why }) => (why instanceof Fault ? [] : [{ field: `[${index}]`, refusal: why }]))
  return refuse('invalid_events', { events, rejected: rejected.length, firstIndex: rejected[0]?.index ?? 0, isAtomic }, errors)
}

/**
 * Happens only when the log fails between two records of an atomic request: records in the log cannot be taken back, but the
 * request can be completed.
 */
export function keptInPart(kept: number, lost: number): Refusal {
  return refuse('kept_in_part', { kept, events: kept + lost })
}
