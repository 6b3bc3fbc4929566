import { TollgateError } from './errors.ts'
import type { CallOptions } from './http-caller.ts'

export type TrackedEvent = {
  readonly id: string
  readonly type: string
  readonly customer: string
  readonly source?: string
  readonly time: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** Events that will not arrive. `queue_full`: there was no room; `rejected`: the server refused them; `unsent`: tries ran out at close. */
export type DroppedEvents = {
  readonly reason: 'queue_full' | 'rejected' | 'unsent'
  readonly events: readonly TrackedEvent[]
  readonly code: string
  readonly detail: string
}

export type EventQueueOptions = {
  readonly send: (events: readonly TrackedEvent[], options: CallOptions) => Promise<{ readonly rejected: readonly Rejection[] }>
  readonly batchEventsMax: number
  readonly queuedEventsMax: number
  readonly flushIntervalMs: number
  readonly onDrop: (dropped: DroppedEvents) => void
}

type Rejection = { readonly index: number; readonly code: string; readonly detail: string }

export type EventQueue = {
  /** False when the queue is full and the event was dropped. */
  add(event: TrackedEvent): boolean
  /** Resolves when all that was queued before the call was sent or dropped; rejects when the server stays away. */
  flush(): Promise<void>
  /** The last try: sends what is left at once, without waiting between tries. */
  close(): Promise<void>
  queuedEvents(): number
}

/** Collects events and sends them in the background, one batch at a time so that their order is kept. */
export function createEventQueue(options: EventQueueOptions): EventQueue {
  let queued: TrackedEvent[] = []
  let sending: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | null = null
  let isClosed = false

  function schedule(): void {
    if (timer || isClosed) return
    timer = setTimeout(() => {
      timer = null
      // A server that stays away is no reason to fail the app: the events stay queued, and the next flush tries again.
      void flush().catch(() => schedule())
    }, options.flushIntervalMs)
    // Where the timer can hold the process open (Node, Bun, Deno), it must not.
    if (typeof timer === 'object' && 'unref' in timer) timer.unref()
  }

  async function sendAll(callOptions: CallOptions): Promise<void> {
    let batchEventsMax = options.batchEventsMax
    while (queued.length > 0) {
      const batch = queued.slice(0, batchEventsMax)
      try {
        const { rejected } = await options.send(batch, callOptions)
        dropRejected(batch, rejected)
      } catch (error) {
        if (!(error instanceof TollgateError) || error.canRetry) throw error
        if (error.status === 413 && batch.length > 1) {
          batchEventsMax = Math.ceil(batch.length / 2)
          continue
        }
        options.onDrop({ reason: 'rejected', events: batch, code: error.code, detail: error.message })
      }
      queued = queued.slice(batch.length)
    }
  }

  function dropRejected(batch: readonly TrackedEvent[], rejected: readonly Rejection[]): void {
    for (const { index, code, detail } of rejected) {
      const event = batch[index]
      if (event) options.onDrop({ reason: 'rejected', events: [event], code, detail })
    }
  }

  async function flush(callOptions: CallOptions = {}): Promise<void> {
    while (sending) await sending
    if (queued.length === 0) return
    sending = sendAll(callOptions).finally(() => {
      sending = null
    })
    await sending
  }

  return {
    add(event) {
      if (isClosed || queued.length >= options.queuedEventsMax) {
        const detail = isClosed ? 'the client is closed' : `${options.queuedEventsMax} events are waiting, the limit`
        options.onDrop({ reason: 'queue_full', events: [event], code: isClosed ? 'client_closed' : 'queue_full', detail })
        return false
      }
      queued.push(event)
      if (queued.length >= options.batchEventsMax && !sending) void flush().catch(() => schedule())
      else schedule()
      return true
    },
    flush: () => flush(),
    async close() {
      isClosed = true
      if (timer) clearTimeout(timer)
      await sending?.catch(() => undefined)
      await flush({ isLastChance: true }).catch((error: unknown) => {
        const code = error instanceof TollgateError ? error.code : 'unsent'
        options.onDrop({ reason: 'unsent', events: queued, code, detail: String(error) })
        queued = []
      })
    },
    queuedEvents: () => queued.length,
  }
}
