import { createEventQueue, type DroppedEvents } from './event-queue.ts'
import { createHttpCaller } from './http-caller.ts'
import { createReservations, type ReservationCalls } from './reservation.ts'

export type TollgateClientOptions = {
  /** Where Tollgate answers, without a trailing slash: `https://meter.example.com`. */
  readonly url: string
  /** A key with the scopes of the calls that are made: `ingest` to track, `decide` to check and reserve. */
  readonly key: string
  /** Told of every event that will not arrive. Default: a console warning. */
  readonly onDrop?: (dropped: DroppedEvents) => void
  readonly batchEventsMax?: number
  readonly queuedEventsMax?: number
  readonly flushIntervalMs?: number
  readonly triesMax?: number
  readonly tryTimeoutMs?: number
  readonly fetch?: typeof globalThis.fetch
}

export type TrackInput = {
  readonly type: string
  readonly customer: string
  readonly data?: Readonly<Record<string, unknown>>
  /** Makes a repeat count once; made up when absent. */
  readonly id?: string
  readonly source?: string
  readonly time?: Date
}

/** Quantities are decimal strings, exact. */
export type Balance = {
  readonly feature: string
  readonly type: 'metered' | 'boolean' | 'config'
  readonly hasAccess: boolean
  readonly limit: string | null
  readonly limitType: 'hard' | 'soft'
  readonly used: string
  readonly held: string
  readonly remaining: string | null
  readonly overage: string
  readonly period: { readonly start: string; readonly end: string } | null
  readonly value?: unknown
}

export type Decision = { readonly allowed: boolean; readonly code: string; readonly balance: Balance }

export type TollgateClient = ReservationCalls & {
  /** Queues an event and returns its id at once; it is sent in the background. Null when the queue was full (see `onDrop`). */
  track(event: TrackInput): string | null
  /** May this customer do this now? Reads only; use `reserve` where two requests at once must not both pass. */
  check(customer: string, feature: string, quantity?: string | number): Promise<Decision>
  /** Resolves when all events tracked so far were sent or dropped. */
  flush(): Promise<void>
  /** Sends what is left. Call it before the process ends; where the platform tells of an exit, it is called by itself. */
  close(): Promise<void>
  queuedEvents(): number
}

export function createTollgateClient(options: TollgateClientOptions): TollgateClient {
  const call = createHttpCaller({
    url: options.url.replace(/\/$/, ''),
    key: options.key,
    fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    triesMax: options.triesMax ?? 5,
    tryTimeoutMs: options.tryTimeoutMs ?? 10_000,
    backoffMinMs: 100,
    backoffMaxMs: 5_000,
    random: Math.random,
    sleep,
  })
  const queue = createEventQueue({
    send: (events, callOptions) => call('POST', '/v1/events', events, callOptions),
    batchEventsMax: options.batchEventsMax ?? 500,
    queuedEventsMax: options.queuedEventsMax ?? 10_000,
    flushIntervalMs: options.flushIntervalMs ?? 1_000,
    onDrop: options.onDrop ?? warnOfDrop,
  })
  const stopListening = onExit(() => queue.close())

  return {
    ...createReservations(call),
    track({ time, id = crypto.randomUUID(), ...event }) {
      const isQueued = queue.add({ ...event, id, time: (time ?? new Date()).toISOString() })
      return isQueued ? id : null
    },
    check: (customer, feature, quantity = '1') => call('POST', '/v1/decisions', { customer, feature, quantity: String(quantity) }),
    flush: () => queue.flush(),
    async close() {
      stopListening()
      await queue.close()
    },
    queuedEvents: () => queue.queuedEvents(),
  }
}

function warnOfDrop(dropped: DroppedEvents): void {
  console.warn(`tollgate dropped ${dropped.events.length} event(s): ${dropped.reason}, ${dropped.detail}`)
}

/** Node, Bun and Deno tell by `beforeExit`, a browser by `pagehide`. */
function onExit(listener: () => void): () => void {
  const { process, addEventListener, removeEventListener } = globalThis as unknown as {
    process?: { on?: (event: string, listener: () => void) => void; off?: (event: string, listener: () => void) => void }
    addEventListener?: (event: string, listener: () => void) => void
    removeEventListener?: (event: string, listener: () => void) => void
  }
  if (process?.on) {
    process.on('beforeExit', listener)
    return () => process.off?.('beforeExit', listener)
  }
  addEventListener?.('pagehide', listener)
  return () => removeEventListener?.('pagehide', listener)
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
