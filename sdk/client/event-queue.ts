import { RequestError, type TollgateFailure, tollgateFailureOf, UnavailableError } from './errors.ts'
import type { CallOptions } from './http-caller.ts'
import { letProcessEnd } from './sleep.ts'

export type TrackedEvent = {
  readonly id: string
  readonly type: string
  readonly customer: string
  readonly source?: string
  readonly reservation?: string
  readonly time: string
  readonly data?: Readonly<Record<string, unknown>>
}

/**
 * Events that will not arrive. `queue_full`: there was no room; `rejected`: the server refused them, or they are not JSON;
 * `unsent`: tries ran out at the end; `closed`: they came after `close`.
 */
export type DroppedEvents = {
  readonly reason: 'queue_full' | 'rejected' | 'unsent' | 'closed'
  readonly events: readonly TrackedEvent[]
  readonly code: string
  readonly detail: string
}

/**
 * An event that arrived, but counts for nothing or not as it was meant: `unread_type` (no meter reads it), `stray_field`,
 * `unreadable_value`, `similar_customer`. `events`: how many of the batch have this warning; it is reported for the first few.
 */
export type EventWarning = { readonly event: TrackedEvent; readonly code: string; readonly detail: string; readonly events: number }

export type EventQueueOptions = {
  /** Sends a JSON array of events. */
  readonly send: (json: string, options: CallOptions) => Promise<EventsAnswer>
  readonly batchEventsMax: number
  readonly batchBytesMax: number
  readonly queuedEventsMax: number
  readonly flushIntervalMs: number
  readonly onDrop: (dropped: DroppedEvents) => void
  readonly onWarning: (warning: EventWarning) => void
  /** A background flush failed; its events stay queued and are tried again. */
  readonly onError: (error: TollgateFailure) => void
}

type EventsAnswer = { readonly rejected?: readonly Rejection[]; readonly warnings?: readonly (Rejection & { readonly events: number })[] }
type Rejection = { readonly index: number; readonly code: string; readonly detail: string }

export type EventQueue = {
  /** False when the event was dropped at once. */
  add(event: TrackedEvent): boolean
  /** Reports an event that cannot be sent. */
  refuse(event: TrackedEvent, code: string, detail: string): void
  /** Resolves when every event queued before the call was sent or dropped; rejects while the server is unreachable. */
  flush(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Like `flush`, but drops events that cannot be sent, as nobody will be there to try again. */
  finish(): Promise<void>
  /** Like `finish`, and takes no more events. */
  close(): Promise<void>
  /** The page may be going away: sends as much as the browser allows, once. The rest stays queued in case the page comes back. */
  leave(): Promise<void>
  queuedEvents(): number
}

/** Browsers refuse bodies that outlive their page from 64 KiB on, all of them together. */
const LEAVE_BYTES_MAX = 60_000

/** Collects events and sends them in the background, one batch at a time so that their order is kept. */
export function createEventQueue(options: EventQueueOptions): EventQueue {
  const queued: { readonly json: string; readonly bytes: number }[] = []
  let queuedBytes = 0
  /** How many events have left the queue: an event's number is this plus its place. */
  let removedEvents = 0
  let sending: Promise<void> | null = null
  let background: AbortController | null = null
  let timer: ReturnType<typeof setTimeout> | null = null
  let isHoldingOff = false
  let isClosed = false

  /** Sends now when a batch is full, soon when there are any events, and after a failure not before the wait is over. */
  function arrange(): void {
    if (isClosed || sending || isHoldingOff || queued.length === 0) return
    if (queued.length >= options.batchEventsMax || queuedBytes >= options.batchBytesMax) sendInBackground()
    else if (timer === null) startTimer(options.flushIntervalMs)
  }

  function startTimer(waitMs: number): void {
    timer = setTimeout(() => {
      stopTimer()
      if (!sending) sendInBackground()
    }, waitMs)
    letProcessEnd(timer)
  }

  function stopTimer(): void {
    if (timer) clearTimeout(timer)
    timer = null
    isHoldingOff = false
  }

  function sendInBackground(): void {
    stopTimer()
    const controller = new AbortController()
    background = controller
    void exclusively(removedEvents + queued.length, { signal: controller.signal, holdsProcess: false })
      .catch((error: unknown) => {
        // The call that aborted it sends in its place.
        if (controller.signal.aborted) return
        const failure = tollgateFailureOf(error)
        if (!isClosed) {
          isHoldingOff = true
          startTimer(Math.max(options.flushIntervalMs, failure instanceof UnavailableError ? failure.retryAfterMs : 0))
        }
        tell(() => options.onError(failure))
      })
      .finally(arrange)
  }

  /** The one place that sends. `until` is the number of the first event left for later. */
  async function exclusively(until: number, callOptions: CallOptions, bytesMax = options.batchBytesMax): Promise<void> {
    const run = sendUntil(until, callOptions, bytesMax).finally(() => {
      sending = null
      background = null
    })
    sending = run
    await run
  }

  async function sendUntil(until: number, callOptions: CallOptions, bytesMax: number): Promise<void> {
    let eventsMax = options.batchEventsMax
    while (removedEvents < until) {
      const batch = nextBatch(Math.min(eventsMax, until - removedEvents), bytesMax)
      try {
        const { rejected = [], warnings = [] } = await options.send(`[${batch.join(',')}]`, callOptions)
        removeFirst(batch.length)
        dropRejected(batch, rejected)
        for (const { index, code, detail, events } of warnings) warn(batch[index], code, detail, events)
      } catch (error) {
        if (!(error instanceof RequestError) || !isVerdictOnEvents(error)) throw error
        if (error.status === 413 && batch.length > 1) {
          eventsMax = Math.ceil(batch.length / 2)
          continue
        }
        removeFirst(batch.length)
        const single = rejectionsIn(error)
        if (single.length === batch.length) dropRejected(batch, single)
        else drop('rejected', batch, error.code, error.message)
      }
    }
  }

  /** At least one event, however large it is. */
  function nextBatch(eventsMax: number, bytesMax: number): string[] {
    const batch: string[] = []
    let bytes = 0
    for (const event of queued) {
      bytes += event.bytes + 1
      if (batch.length > 0 && (batch.length >= eventsMax || bytes > bytesMax)) break
      batch.push(event.json)
    }
    return batch
  }

  function removeFirst(count: number): void {
    for (const { bytes } of queued.splice(0, count)) queuedBytes -= bytes
    removedEvents += count
  }

  function dropRejected(batch: readonly string[], rejected: readonly Rejection[]): void {
    for (const { index, code, detail } of rejected) {
      const event = batch[index]
      if (event !== undefined) drop('rejected', [event], code, detail)
    }
  }

  function drop(reason: DroppedEvents['reason'], events: readonly string[], code: string, detail: string): void {
    tell(() => options.onDrop({ reason, events: events.map((json) => JSON.parse(json) as TrackedEvent), code, detail }))
  }

  function warn(json: string | undefined, code: string, detail: string, events: number): void {
    if (json !== undefined) tell(() => options.onWarning({ event: JSON.parse(json) as TrackedEvent, code, detail, events }))
  }

  async function flush({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const until = removedEvents + queued.length
    try {
      while (removedEvents < until) {
        signal?.throwIfAborted()
        // The background flush may wait for its next try longer than the process lives, so this call takes over.
        background?.abort()
        if (sending) await sending.catch(() => undefined)
        else {
          stopTimer()
          await exclusively(until, signal ? { signal } : {})
        }
      }
    } finally {
      arrange()
    }
  }

  async function finish(): Promise<void> {
    await flush().catch(async (error: unknown) => {
      // Another flush may be sending; its events must stay in place until it is done.
      while (sending) await sending.catch(() => undefined)
      if (queued.length === 0) return
      const left = queued.map(({ json }) => json)
      removeFirst(left.length)
      drop('unsent', left, tollgateFailureOf(error).code, String(error))
    })
  }

  return {
    add(event) {
      const json = jsonOf(event)
      if (isClosed) tell(() => options.onDrop({ reason: 'closed', events: [event], code: 'client_closed', detail: 'the client is closed' }))
      else if (queued.length >= options.queuedEventsMax) {
        const detail = `${options.queuedEventsMax} events are waiting, the limit`
        tell(() => options.onDrop({ reason: 'queue_full', events: [event], code: 'queue_full', detail }))
      } else if (json === null) {
        const detail = 'the event cannot be written as JSON: it holds a BigInt or refers to itself'
        tell(() => options.onDrop({ reason: 'rejected', events: [event], code: 'not_json', detail }))
      } else {
        const bytes = new TextEncoder().encode(json).length
        queued.push({ json, bytes })
        queuedBytes += bytes
        arrange()
        return true
      }
      return false
    },
    refuse(event, code, detail) {
      tell(() => options.onDrop({ reason: 'rejected', events: [event], code, detail }))
    },
    flush,
    finish,
    async close() {
      isClosed = true
      stopTimer()
      await finish()
    },
    async leave() {
      background?.abort()
      await sending?.catch(() => undefined)
      if (sending || queued.length === 0) return
      stopTimer()
      await exclusively(removedEvents + queued.length, { keepalive: true, triesMax: 1 }, LEAVE_BYTES_MAX).catch(() => undefined)
      arrange()
    },
    queuedEvents: () => queued.length,
  }
}

/** Written once, at the call: later changes of the app's objects do not change what is sent. */
function jsonOf(event: TrackedEvent): string | null {
  try {
    return JSON.stringify(event)
  } catch {
    return null
  }
}

/** A wrong key or address says nothing about the events, so they stay until it is corrected. */
function isVerdictOnEvents({ status }: RequestError): boolean {
  return status === 400 || status === 413 || status === 422
}

/** `invalid_events` names every refused event as the field `[index]`. */
function rejectionsIn({ errors }: RequestError): Rejection[] {
  return errors.flatMap(({ field, code, detail }) => {
    const index = /^\[(\d+)\]$/.exec(field)?.[1]
    return index === undefined ? [] : [{ index: Number(index), code, detail }]
  })
}

/** An error of the app's own callback must not stop the queue, nor be swallowed. */
function tell(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    console.error('a tollgate callback threw', error)
  }
}
