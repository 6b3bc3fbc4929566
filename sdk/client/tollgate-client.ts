import type { Balance } from './balance.ts'
import type { TollgateFailure } from './errors.ts'
import { createEventQueue, type DroppedEvents, type EventWarning } from './event-queue.ts'
import { onExitNotice } from './exit-notice.ts'
import { type CallOptions, createHttpCaller } from './http-caller.ts'
import { type Quantity, quantityJson } from './quantity.ts'
import { createReads, type Reads } from './reads.ts'
import { createReservations, type ReservationCalls } from './reservation.ts'
import { type Sleep, sleep } from './sleep.ts'
import { uuidV7 } from './uuid-v7.ts'

export type TollgateClientOptions = {
  /** Address of Tollgate: `https://meter.example.com`. */
  readonly url: string
  /** A key with the scopes of your calls: `ingest` to track, `decide` to check and reserve. */
  readonly key: string
  /** Called for every event that will not arrive. Default: a console warning. */
  readonly onDrop?: (dropped: DroppedEvents) => void
  /** Called for events that arrived and count for nothing, or not as meant. Default: a console warning, once for each text. */
  readonly onWarning?: (warning: EventWarning) => void
  /** Called for failures that no call throws: a background flush that will be tried again. Default: a console warning when the code changes. */
  readonly onError?: (error: TollgateFailure) => void
  /** Default 500. */
  readonly batchEventsMax?: number
  /** Default 1,000,000. */
  readonly batchBytesMax?: number
  /** Events tracked beyond it are dropped and reported. Default 10,000. */
  readonly queuedEventsMax?: number
  /** Default 1,000. */
  readonly flushIntervalMs?: number
  /** Tries of one call, including the first. Default 5. */
  readonly triesMax?: number
  /** Bound on one try. Default 10,000. */
  readonly tryTimeoutMs?: number
  /** Bound on `check` and `reserve` with all their tries, as a request waits for them. Default 5,000. */
  readonly decideWithinMs?: number
  /** For runtimes without a global `fetch`, and for tests. */
  readonly fetch?: typeof globalThis.fetch
  /** For tests: how waits between tries sleep, and what spreads them, in [0, 1). */
  readonly sleep?: Sleep
  readonly random?: () => number
}

export type TrackInput = {
  readonly type: string
  readonly customer: string
  readonly data?: Readonly<Record<string, unknown>>
  /** Makes a repeat count once; generated when absent. */
  readonly id?: string
  readonly source?: string
  /** Ends this hold: what the event counts for the hold's feature is used, and the rest is free again, in one step. */
  readonly reservation?: string
  /** When it was used; default now. A text is sent as it is. */
  readonly time?: Date | string
}

/** There is no balance while the server cannot decide: `uncertain_denied` or `uncertain_allowed`, by the plan's policy for this case. */
export type Decision = { readonly allowed: boolean; readonly code: string; readonly balance?: Balance }

export type TollgateClient = ReservationCalls &
  Reads & {
    /** Queues an event and returns its id at once; it is sent in the background. Never throws: null when it was dropped (see `onDrop`). */
    track(event: TrackInput): string | null
    /** May this customer do this now? It only reads; use `reserve` where two requests at once must not both pass. */
    check(customer: string, feature: string, quantity?: Quantity, options?: { readonly signal?: AbortSignal }): Promise<Decision>
    /** Resolves when all events tracked before the call were sent or dropped; rejects while the server is unreachable, and the events stay queued. */
    flush(options?: { readonly signal?: AbortSignal }): Promise<void>
    /** Sends what is left, drops what cannot be sent, and takes no more events. Call it before you end the process yourself. */
    close(): Promise<void>
    queuedEvents(): number
  }

export function createTollgateClient(options: TollgateClientOptions): TollgateClient {
  const onError = options.onError ?? createErrorWarning()
  const call = createHttpCaller({
    url: withoutTrailingSlashes(options.url),
    key: options.key,
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    triesMax: options.triesMax ?? 5,
    tryTimeoutMs: options.tryTimeoutMs ?? 10_000,
    backoffMinMs: 100,
    waitMsMax: 10_000,
    random: options.random ?? Math.random,
    sleep: options.sleep ?? sleep,
    now: Date.now,
  })
  const queue = createEventQueue({
    send: (json, callOptions) => call('/v1/events', json, callOptions),
    batchEventsMax: options.batchEventsMax ?? 500,
    batchBytesMax: options.batchBytesMax ?? 1_000_000,
    queuedEventsMax: options.queuedEventsMax ?? 10_000,
    flushIntervalMs: options.flushIntervalMs ?? 1_000,
    onDrop: options.onDrop ?? warnOfDrop,
    onWarning: options.onWarning ?? createWarningPrinter(),
    onError,
  })
  const decideOptions: CallOptions = { withinMs: options.decideWithinMs ?? 5_000 }
  const stopListening = onExitNotice({ beforeExit: () => void queue.finish(), leave: () => void queue.leave() })

  return {
    ...createReads(call),
    ...createReservations({ call, decideOptions, onError }),
    track(event) {
      // Callers without types may pass anything, or nothing.
      const { type, customer, data, id = uuidV7(), source, reservation, time } = event ?? {}
      const named = { ...(source === undefined ? {} : { source }), ...(reservation === undefined ? {} : { reservation }) }
      const attributes = { ...named, ...(data ? { data } : {}) }
      const timeText = timeTextOf(time)
      if (timeText !== null) return queue.add({ id, type, customer, time: timeText, ...attributes }) ? id : null
      const detail = 'time is neither a Date that holds an instant nor a text'
      queue.refuse({ id, type, customer, time: 'invalid', ...attributes }, 'invalid_time', detail)
      return null
    },
    check(customer, feature, quantity = '1', { signal } = {}) {
      const json = JSON.stringify({ customer, feature, quantity: quantityJson(quantity) })
      return call<Decision>('/v1/decisions', json, signal ? { ...decideOptions, signal } : decideOptions)
    },
    flush: (flushOptions) => queue.flush(flushOptions),
    async close() {
      stopListening()
      await queue.close()
    },
    queuedEvents: () => queue.queuedEvents(),
  }
}

/** Null for anything but a time: the event cannot be sent, as the present time would be invented. */
function timeTextOf(time: unknown): string | null {
  if (time === undefined || time === null) return new Date().toISOString()
  if (typeof time === 'string') return time
  return time instanceof Date && !Number.isNaN(time.getTime()) ? time.toISOString() : null
}

function warnOfDrop(dropped: DroppedEvents): void {
  console.warn(`tollgate dropped ${dropped.events.length} event(s): ${dropped.reason}, ${dropped.code}, ${dropped.detail}`)
}

function createErrorWarning(): (error: TollgateFailure) => void {
  let warnedOf = ''
  return ({ code, message }) => {
    if (code === warnedOf) return
    warnedOf = code
    console.warn(`tollgate: ${code}, ${message}`)
  }
}

function withoutTrailingSlashes(url: string): string {
  let end = url.length
  while (url[end - 1] === '/') end--
  return url.slice(0, end)
}

/** Each text is printed once, up to this many texts, as a mistake in the code comes with every event. */
const WARNINGS_PRINTED_MAX = 100

function createWarningPrinter(): (warning: EventWarning) => void {
  const printed = new Set<string>()
  return ({ event, code, detail }) => {
    if (printed.has(detail) || printed.size >= WARNINGS_PRINTED_MAX) return
    printed.add(detail)
    console.warn(`tollgate: event ${event.id} (${code}): ${detail}`)
  }
}
