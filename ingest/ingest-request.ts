import type { Logger } from 'pino'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { MaybePromise } from '../base/maybe-promise.ts'
import { customerNamed } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, TenantKey } from '../domain/identity.ts'
import { customerHash } from '../domain/metering/partitioning.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import { MODEL_CALL_TYPE } from '../domain/model-calls/model-call.ts'
import type { Narrowing } from '../domain/principal.ts'
import { isRefusal, type Outcome, type Refusal } from '../domain/refusal.ts'
import type { CostTable } from '../rating/cost-table.ts'
import { sayKept } from '../schemas/http/refusal-answer.ts'
import type { CustomerNames, NameHistories } from '../usage/customer-names.ts'
import { eventsWithDigits } from './core/json-source.ts'
import { type Repair, repairOf, withWellFormedTexts } from './core/repaired-event.ts'
import { UnreadableEvent } from './core/unreadable-event.ts'
import { hasNoTime, movedEvents, namesOf, ofKeys, type RawEvent, sourceOf } from './event-names.ts'
import type { FindFormerCustomers } from './former-customers.ts'
import { causeOf, type IngestOutcome, keptInPart, type NotTaken, noneAcceptable, type RejectedEvent } from './ingest-outcome.ts'
import { modelCallEvents } from './model-call-events.ts'
import { withinNarrowing } from './narrowed-event.ts'
import type { IndexedEvent, RecordWriter, WriteFailure } from './record-writer.ts'
import { type ParseContext, parseUsageEvent } from './usage-event-parsing.ts'
import { createEventWarnings, type EventWarning, type WarningCode } from './warnings/event-warnings.ts'
import type { FamiliarCustomers } from './warnings/familiar-customers.ts'
import type { TypeReaders } from './warnings/type-reader.ts'

export type IngestMode = {
  readonly isAtomic: boolean
  readonly isBackfill: boolean
  /** How far the sender's clock is ahead of ours; 0 when absent. */
  readonly clockAheadMs?: number
  /** What the sender's key is narrowed to. */
  readonly only?: Narrowing
}

export type IngestRequest = {
  /**
   * Judges the next events and hands the good ones to the log; waits while too much of this request is under way. Rejects with a
   * fault of the catalog.
   */
  add(values: readonly unknown[]): Promise<void>
  /** Resolves when every event written so far is durable or has failed. */
  whenWritten(): Promise<unknown>
  /** How many events were added. */
  events(): number
  /** Every event's verdict, once all accepted ones are durable. */
  finish(): Promise<IngestOutcome>
  /** For a request that ends in the middle: waits for the events under way and adds to the reason how many were kept. */
  abandon(why: NotTaken): Promise<NotTaken>
}

/** Events judged in one go; between slices other requests have their turn. */
const SLICE_EVENTS = 500
const WRITES_UNDER_WAY_MAX = 8
/** How long the answer waits for what the catalog says about new customers, which it was asked when they came. */
const WARNING_WAIT_MS_MAX = 250

export function createIngestRequest(options: {
  readonly tenant: TenantKey
  readonly isAtomic: boolean
  readonly eventsMax: number
  readonly times: Omit<ParseContext, 'customerOf'>
  /** What the sender's key is narrowed to; null: nothing. */
  readonly only: Narrowing | null
  readonly names: Pick<CustomerNames, 'load'>
  readonly findFormerCustomers: FindFormerCustomers | null
  readonly writer: RecordWriter
  /** Null while the meters are not known: then there are no warnings about them. */
  readonly readersOf: () => MaybePromise<TypeReaders | null>
  /** Null while it cannot be had: then calls of models are kept and say so. */
  readonly costsOf: () => MaybePromise<CostTable | null>
  readonly familiar: FamiliarCustomers
  readonly clock: Pick<Clock, 'turn' | 'sleep'>
  readonly onRejected: (code: string) => void
  readonly onWarned: (code: WarningCode, events: number) => void
  readonly log: Logger
}): IngestRequest {
  const { tenant, isAtomic, writer } = options
  const rejected: RejectedEvent[] = []
  const staged: IndexedEvent[] = []
  const failures: WriteFailure[] = []
  const writes = new Set<Promise<void>>()
  const warnings = createEventWarnings()
  const meetings: Promise<void>[] = []
  let events = 0
  let written = 0

  function reject(index: number, id: unknown, why: NotTaken): void {
    options.onRejected(why.code)
    rejected.push({ index, id: typeof id === 'string' ? id.slice(0, 256).toWellFormed() : null, why })
  }

  /** The event in a form that can be kept, with a warning; otherwise its refusal. */
  function repaired(
    index: number,
    value: unknown,
    refusal: Refusal,
    context: ParseContext,
    withDigits: () => unknown,
  ): Outcome<UsageEvent> {
    const repairs: Repair[] = []
    let event: Outcome<UsageEvent> = refusal
    let sent = value
    while (isRefusal(event)) {
      const repair = repairOf(event)
      if (repair === null || repairs.some(({ code }) => code === repair.code)) return event
      // Numbers first, as their text is in the source, which is unchanged.
      if (repair.code === 'kept_as_text') sent = withDigits()
      if (typeof sent !== 'object' || sent === null) return event
      repairs.push(repair)
      const isWellFormed = !repairs.some(({ code }) => code === 'replaced_characters')
      event = parseUsageEvent(isWellFormed ? sent : withWellFormedTexts(sent), context)
    }
    for (const { code, detail } of repairs) warnings.repaired(index, event.id, code, detail)
    return event
  }

  /** `values` are some of a list that was parsed together; `digitsOf` answers one of them with all digits, by its place among them. */
  function judge(
    values: readonly unknown[],
    context: ParseContext,
    { readers, costs }: Copies,
    withDigits: (at: number) => unknown,
  ): IndexedEvent[] {
    const accepted: IndexedEvent[] = []
    let lastCustomer: CustomerKey | null = null
    let lastHash = 0
    for (const [at, value] of values.entries()) {
      const index = events++
      if (value instanceof UnreadableEvent) {
        reject(index, null, value.refusal)
        continue
      }
      const parsed = parseUsageEvent(value, context)
      const readable = isRefusal(parsed) ? repaired(index, value, parsed, context, () => withDigits(at)) : parsed
      const event = options.only === null || isRefusal(readable) ? readable : withinNarrowing(options.only, readable)
      if (isRefusal(event)) reject(index, (value as { id?: unknown } | null)?.id, event)
      else {
        const { customer } = event
        if (customer !== lastCustomer) {
          lastCustomer = customer
          lastHash = customerHash(tenant, customer)
        }
        const sent = value as RawEvent
        const indexed = { index, event, customerHash: lastHash }
        if (event.type === MODEL_CALL_TYPE) {
          const data = event === parsed ? sentWithData(sent, event).data : JSON.parse(event.data)
          keepModelCall(accepted, indexed, (data ?? NO_DATA) as RawEvent, sent, { readers, costs })
        } else {
          accepted.push(indexed)
          if (readers !== null) warnings.look(index, event, sentWithData(sent, event), readers)
        }
      }
    }
    meetUnfamiliar(accepted)
    return accepted
  }

  function keepModelCall(
    accepted: IndexedEvent[],
    indexed: IndexedEvent,
    data: RawEvent,
    sent: RawEvent,
    { readers, costs }: Copies,
  ): void {
    const call = modelCallEvents(indexed, data, costs)
    if (call === null) accepted.push(indexed)
    else accepted.push(...call.events)
    if (call !== null && call.warning !== null) warnings.modelCall(indexed.index, indexed.event, call.warning, data.surface)
    if (readers !== null) warnings.look(indexed.index, indexed.event, { ...sent, data: call?.data ?? data }, readers)
  }

  /** Whose a name is at an instant; of events without a time whose name has moved, whose they were when they were first sent. */
  async function customersOf(slice: readonly unknown[], histories: NameHistories): Promise<ParseContext['customerOf']> {
    if (histories.size === 0) return ofKeys
    const byTime: ParseContext['customerOf'] = (name, atMs) => customerNamed(name, histories.get(name) ?? null, atMs)
    const moved = options.findFormerCustomers === null ? [] : movedEvents(slice, histories)
    if (options.findFormerCustomers === null || moved.length === 0) return byTime
    const former = new Map<string, CustomerKey>()
    for (const [{ name, source, id }, customer] of await options.findFormerCustomers(tenant, moved)) {
      former.set(JSON.stringify([name, source, id]), customer)
    }
    return (name, atMs, event) => {
      const customer = hasNoTime(event) ? former.get(JSON.stringify([name, sourceOf(event), event.id])) : undefined
      return customer ?? byTime(name, atMs, event)
    }
  }

  /** After the others in one go, so that the look-ups wait for memory together. */
  function meetUnfamiliar(accepted: readonly IndexedEvent[]): void {
    let unfamiliar: Map<CustomerKey, IndexedEvent> | null = null
    for (const indexed of accepted) {
      if (options.familiar.isFamiliar(indexed.customerHash)) continue
      unfamiliar ??= new Map()
      if (!unfamiliar.has(indexed.event.customer)) unfamiliar.set(indexed.event.customer, indexed)
    }
    if (unfamiliar !== null) meetings.push(meet(unfamiliar))
  }

  /** Runs beside the writing, as it only affects the answer; without an answer of the catalog there is no warning. */
  async function meet(unfamiliar: ReadonlyMap<CustomerKey, IndexedEvent>): Promise<void> {
    try {
      const similar = await options.familiar.meet(tenant, [...unfamiliar.keys()])
      for (const [customer, other] of similar) {
        const first = unfamiliar.get(customer)
        if (first !== undefined) warnings.similarCustomer(first.index, first.event, other)
      }
    } catch (error) {
      options.log.warn({ err: error }, 'similar customers not looked for')
    }
  }

  async function metOrWaitedEnough(): Promise<void> {
    if (meetings.length === 0) return
    const met = new AbortController()
    await Promise.race([Promise.all(meetings), options.clock.sleep(WARNING_WAIT_MS_MAX, met.signal)])
    met.abort()
  }

  /** Warnings about events that were kept. */
  function warned(): readonly EventWarning[] {
    for (const [code, count] of warnings.counts()) options.onWarned(code, count)
    if (failures.length === 0) return warnings.list()
    const lost = new Set(failures.flatMap((failure) => failure.events.map(({ index }) => index)))
    return warnings.list().filter(({ index }) => !lost.has(index))
  }

  function write(accepted: readonly IndexedEvent[]): void {
    written += sentIn(accepted)
    const done = writer.write(tenant, accepted).then((failed) => {
      failures.push(...failed)
      writes.delete(done)
    })
    writes.add(done)
  }

  const failedEvents = () => failures.reduce((sum, failure) => sum + sentIn(failure.events), 0)

  function verdicts(): IngestOutcome {
    const accepted = written - failedEvents()
    if (accepted === 0 && failures.length > 0) return causeOf(firstFault(failures))
    if (accepted === 0) return noneAcceptable(events, rejected, isAtomic)
    if (failures.length === 0) return { accepted, rejected, warnings: warned() }
    options.log.warn({ accepted, notKept: failedEvents() }, 'kept a request in part')
    if (isAtomic) return keptInPart(accepted, failedEvents())
    for (const { events: lost, fault } of failures) {
      const why = causeOf(fault)
      for (const { index, event, isInner } of lost) if (isInner === undefined) reject(index, event.id, why)
    }
    return { accepted, rejected: rejected.sort((a, b) => a.index - b.index), warnings: warned() }
  }

  return {
    events: () => events,
    whenWritten: () => Promise.all(writes),
    async add(values) {
      let parsedAgain: readonly unknown[] | null | undefined
      for (let from = 0; from < values.length; from += SLICE_EVENTS) {
        const withDigits = (at: number): unknown => {
          parsedAgain ??= eventsWithDigits(values)
          return parsedAgain?.[from + at]
        }
        if (from > 0) await options.clock.turn()
        const slice = values.slice(from, from + SLICE_EVENTS)
        const histories = await options.names.load(tenant, namesOf(slice))
        const known = options.readersOf()
        const readers = known instanceof Promise ? await known : known
        const table = options.costsOf()
        const copies = { readers, costs: table instanceof Promise ? await table : table }
        const accepted = judge(slice, { ...options.times, customerOf: await customersOf(slice, histories) }, copies, withDigits)
        if (isAtomic) staged.push(...accepted)
        else if (accepted.length > 0) write(accepted)
        while (writes.size >= WRITES_UNDER_WAY_MAX) await Promise.race(writes)
      }
    },
    async finish() {
      if (isAtomic && rejected.length > 0) return noneAcceptable(events, rejected, isAtomic)
      if (staged.length > 0) write(staged)
      await Promise.all(writes)
      await metOrWaitedEnough()
      return verdicts()
    },
    async abandon(why) {
      await Promise.all(writes)
      const kept = written - failedEvents()
      if (kept === 0) return why
      if (!(why instanceof Fault)) return { ...why, kept: { kept, events } }
      // A fault that can be retried, which is 503, would say that nothing was kept.
      const publicText = `${why.publicText} ${sayKept({ kept, events })}`
      return new Fault(why.code, why.message, { canRetry: false, publicText, cause: why })
    },
  }
}

type Copies = { readonly readers: TypeReaders | null; readonly costs: CostTable | null }

const NO_DATA = {}

/** Events as their sender counts them. */
function sentIn(events: readonly IndexedEvent[]): number {
  let sent = 0
  for (const { isInner } of events) if (isInner === undefined) sent++
  return sent
}

/** The event as it was sent, with the data decoded from its bytes. */
function sentWithData(value: Readonly<Record<string, unknown>>, { data }: UsageEvent): Readonly<Record<string, unknown>> {
  return value.data_base64 === undefined ? value : { ...value, data: JSON.parse(data) }
}

function firstFault(failures: readonly WriteFailure[]): unknown {
  return failures[0]?.fault
}
