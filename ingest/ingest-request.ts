import type { Logger } from 'pino'
import { Fault } from '../base/fault.ts'
import type { TenantKey } from '../domain/identity.ts'
import { type FieldError, isRefusal, type Outcome, type Refusal, RefusalError, refuse } from '../domain/refusal.ts'
import type { IndexedEvent, RecordWriter, WriteFailure } from './record-writer.ts'
import type { SubjectCache } from './subject-cache.ts'
import { type ParseContext, parseUsageEvent, SUBJECT_CHARS_MAX } from './usage-event-parsing.ts'

export type IngestMode = { readonly isAtomic: boolean; readonly isBackfill: boolean }

export type RejectedEvent = { readonly index: number; readonly id: string | null; readonly code: string; readonly detail: string }
export type Verdicts = { readonly accepted: number; readonly rejected: readonly RejectedEvent[] }

/** Stands for an event that could not even be parsed, in its place among the others. */
export class UnreadableEvent {
  readonly code: string
  readonly detail: string
  constructor(code: string, detail: string) {
    this.code = code
    this.detail = detail
  }
}

export type IngestRequest = {
  /** Judges the next events and hands the good ones to the log; waits while too much of this request is under way. Rejects with a fault of the catalog. */
  add(values: readonly unknown[]): Promise<void>
  /** Resolves when all that was written up to now is durable or has failed. */
  whenWritten(): Promise<unknown>
  /** How many events were added. */
  events(): number
  /** Every event's verdict, once all that was accepted is durable. */
  finish(): Promise<Outcome<Verdicts>>
  /** For a request that ends in the middle: waits for what is under way and says in the refusal what of it was kept. */
  abandon(refusal: Refusal): Promise<Refusal>
}

/** Events judged in one go; between slices other requests have their turn. */
const SLICE_EVENTS = 500
const WRITES_UNDER_WAY_MAX = 8
const ERRORS_SHOWN_MAX = 100

export function createIngestRequest(options: {
  readonly tenant: TenantKey
  readonly isAtomic: boolean
  readonly eventsMax: number
  readonly times: Omit<ParseContext, 'customerOf'>
  readonly subjects: SubjectCache
  readonly writer: RecordWriter
  readonly onRejected: (code: string) => void
  readonly log: Logger
}): IngestRequest {
  const { tenant, isAtomic, writer } = options
  const rejected: RejectedEvent[] = []
  const staged: IndexedEvent[] = []
  const failures: WriteFailure[] = []
  const writes = new Set<Promise<void>>()
  let events = 0
  let written = 0

  function reject(index: number, id: unknown, code: string, detail: string): void {
    options.onRejected(code)
    rejected.push({ index, id: typeof id === 'string' ? id.slice(0, 256).toWellFormed() : null, code, detail })
  }

  function judge(values: readonly unknown[], context: ParseContext): IndexedEvent[] {
    const accepted: IndexedEvent[] = []
    for (const value of values) {
      const index = events++
      if (value instanceof UnreadableEvent) {
        reject(index, null, value.code, value.detail)
        continue
      }
      const event = parseUsageEvent(value, context)
      if (isRefusal(event)) reject(index, (value as { id?: unknown } | null)?.id, event.code, event.detail)
      else accepted.push({ index, event })
    }
    return accepted
  }

  function write(accepted: readonly IndexedEvent[]): void {
    written += accepted.length
    const done = writer.write(tenant, accepted).then((failed) => {
      failures.push(...failed)
      writes.delete(done)
    })
    writes.add(done)
  }

  const failedEvents = () => failures.reduce((sum, failure) => sum + failure.events.length, 0)

  function verdicts(): Outcome<Verdicts> {
    const accepted = written - failedEvents()
    if (accepted === 0 && failures.length > 0) return refusalOfFault(firstFault(failures))
    if (accepted === 0) return noneAcceptable(events, rejected, isAtomic)
    if (failures.length === 0) return { accepted, rejected }
    options.log.warn({ accepted, notKept: failedEvents() }, 'kept a request in part')
    if (isAtomic) return keptInPart(accepted, failedEvents())
    for (const { events: lost, fault } of failures) {
      const why = refusalOfFault(fault)
      for (const { index, event } of lost) reject(index, event.id, why.code, `The event was not kept: ${why.detail} Send it again.`)
    }
    return { accepted, rejected: rejected.sort((a, b) => a.index - b.index) }
  }

  return {
    events: () => events,
    whenWritten: () => Promise.all(writes),
    async add(values) {
      for (let from = 0; from < values.length; from += SLICE_EVENTS) {
        if (from > 0) await new Promise(setImmediate)
        const slice = values.slice(from, from + SLICE_EVENTS)
        const customers = await options.subjects.load(tenant, subjectsOf(slice))
        const accepted = judge(slice, { ...options.times, customerOf: (subject) => customers.get(subject) ?? null })
        if (isAtomic) staged.push(...accepted)
        else if (accepted.length > 0) write(accepted)
        while (writes.size >= WRITES_UNDER_WAY_MAX) await Promise.race(writes)
      }
    },
    async finish() {
      if (isAtomic && rejected.length > 0) return noneAcceptable(events, rejected, isAtomic)
      if (staged.length > 0) write(staged)
      await Promise.all(writes)
      return verdicts()
    },
    async abandon(refusal) {
      await Promise.all(writes)
      const kept = written - failedEvents()
      if (kept === 0) return refusal
      const told = `${kept} of the ${events} events read before that, which have index 0 to ${events - 1}, were kept. Send the rest, or all of it again: a repeat is counted once.`
      // 503 would say that nothing was kept.
      return { ...refusal, status: refusal.status === 503 ? 500 : refusal.status, detail: `${refusal.detail} ${told}` }
    },
  }
}

/** What a request is refused with for what was thrown while it was served; a bug is thrown on. */
export function refusalOfFault(error: unknown): Refusal {
  if (error instanceof RefusalError) return error.refusal
  if (!(error instanceof Fault)) throw error
  return refuse(error.code, error.publicText, { status: error.canRetry ? 503 : 500, ...(error.canRetry ? { retryAfterSeconds: 1 } : {}) })
}

/** Subjects to be resolved. An event that names its customer needs none; one that is too long is refused anyway. */
function subjectsOf(values: readonly unknown[]): ReadonlySet<string> {
  const subjects = new Set<string>()
  for (const value of values) {
    if (typeof value !== 'object' || value === null) continue
    const { customer, subject } = value as Readonly<Record<string, unknown>>
    if (typeof subject !== 'string' || (customer !== undefined && customer !== null)) continue
    if (subject.length > 0 && subject.length <= SUBJECT_CHARS_MAX && subject.isWellFormed() && !subject.includes('\0'))
      subjects.add(subject)
  }
  return subjects
}

function firstFault(failures: readonly WriteFailure[]): unknown {
  return failures[0]?.fault
}

function noneAcceptable(events: number, rejected: readonly RejectedEvent[], isAtomic: boolean): Refusal {
  if (events === 0) return refuse('no_events', 'The request holds no event. Send at least one.')
  const first = rejected[0]
  const which = isAtomic
    ? `${rejected.length} of the ${events} events cannot be accepted, so none was kept`
    : `None of the ${events} events can be accepted`
  const errors: FieldError[] = rejected.slice(0, ERRORS_SHOWN_MAX).map(({ index, code, detail }) => ({ field: `[${index}]`, code, detail }))
  const more = rejected.length > ERRORS_SHOWN_MAX ? ` The first ${ERRORS_SHOWN_MAX} are listed.` : ''
  return refuse('invalid_events', `${which}. Event ${first?.index ?? 0}: ${first?.detail ?? ''}${more}`, { errors })
}

/** Only when the log failed between two records of an atomic request: what is in the log cannot be taken back, but it can be completed. */
function keptInPart(kept: number, lost: number): Refusal {
  return refuse(
    'kept_in_part',
    `The event log failed after ${kept} of ${kept + lost} events were kept. Send the same request again to complete it: a repeat is counted once.`,
    { status: 500 },
  )
}
