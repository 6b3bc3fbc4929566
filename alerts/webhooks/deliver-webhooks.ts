import PQueue from 'p-queue'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import type { TimedMessageStore } from '../../adapters/database/outbox/timed-message-store.ts'
import type { DueDelivery, RecordedTry, WebhookDeliveryStore } from '../../adapters/database/webhooks/webhook-delivery-store.ts'
import type { WebhookEndpointStore } from '../../adapters/database/webhooks/webhook-endpoint-store.ts'
import type { Clock, InstantMs } from '../../base/clock.ts'
import { DAY_MS, HOUR_MS } from '../../domain/time/durations.ts'
import { WEBHOOK_BOUNDS } from '../../domain/webhooks/webhook-bounds.ts'
import { afterTry } from './after-try.ts'
import { eventJson } from './event-json.ts'
import type { SendWebhook } from './send-webhook.ts'
import { webhookHeaders } from './signature.ts'

export type WebhookDeliveriesDeps = {
  readonly outbox: Pick<OutboxStore, 'place' | 'prune'>
  readonly timed: TimedMessageStore
  readonly endpoints: Pick<WebhookEndpointStore, 'disable'>
  readonly deliveries: WebhookDeliveryStore
  readonly send: SendWebhook
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly registry: Registry
  /** Of this process, unlike that of any other. */
  readonly holder: string
}

export type WebhookDeliveries = {
  start(): void
  /** Resolves when the tries under way have ended and are on record. */
  stop(): Promise<void>
  /** What fails now. */
  troubles(): readonly string[]
}

/**
 * Sends what is due, in rounds: places new messages, records what ended, begins what is due. One process in all does so, which
 * holds a lease; what is under way is in its memory, and is due again in the next process when this one is killed.
 */
export function createWebhookDeliveries(deps: WebhookDeliveriesDeps): WebhookDeliveries {
  const { clock, log, outbox, timed, deliveries, endpoints, send, random, holder } = deps
  const tried = new Counter({
    name: 'tollgate_webhook_deliveries_total',
    help: 'Tries of webhooks, by outcome',
    labelNames: ['outcome'],
    registers: [deps.registry],
  })
  const switchedOff = new Counter({
    name: 'tollgate_webhook_endpoints_disabled_total',
    help: 'Endpoints switched off, by reason',
    labelNames: ['reason'],
    registers: [deps.registry],
  })
  const stopping = new AbortController()
  const all = new PQueue({ concurrency: WEBHOOK_BOUNDS.sending.most })
  /** One queue an endpoint, so that a slow one has no more than its share of the whole. */
  const byEndpoint = new Map<string, PQueue>()
  const underWay = new Map<string, string>()
  const finished: Finished[] = []
  let wake = () => {}
  let troubles: readonly string[] = []
  let running: Promise<void> = Promise.resolve()
  let leadUntilMs = 0
  let tellAgainMs = 0
  let pruneAgainMs = 0

  async function round(): Promise<boolean> {
    const nowMs = clock.now()
    if (nowMs + LEASE_MS / 2 >= leadUntilMs) {
      const untilMs = (nowMs + LEASE_MS) as InstantMs
      if (!(await deliveries.lead(holder, untilMs))) return false
      leadUntilMs = untilMs
    }
    const told = await tellTimed(nowMs)
    const placed = await outbox.place(PLACED_AT_ONCE)
    const recorded = await recordFinished()
    const begun = await beginDue()
    return told || placed > 0 || recorded || begun
  }

  async function tellTimed(nowMs: number): Promise<boolean> {
    if (nowMs >= pruneAgainMs) {
      pruneAgainMs = nowMs + HOUR_MS
      while ((await outbox.prune((nowMs - KEPT_MS) as InstantMs)) > 0 && !stopping.signal.aborted);
    }
    if (nowMs < tellAgainMs) return false
    const told = (await timed.tellEnded(TOLD_AT_ONCE)) + (await timed.tellOverdue(TOLD_AT_ONCE))
    if (told === 0) tellAgainMs = nowMs + TELL_EVERY_MS
    return told > 0
  }

  async function recordFinished(): Promise<boolean> {
    if (finished.length === 0) return false
    // A copy: more end meanwhile, and these stay until they are on record.
    const ended = [...finished]
    await deliveries.record(ended.map(({ result }) => result))
    finished.splice(0, ended.length)
    for (const { delivery, disable } of ended) {
      if (disable !== null) await disableEndpoint(delivery, disable)
      underWay.delete(delivery.id)
    }
    return true
  }

  async function disableEndpoint({ tenant, endpoint }: DueDelivery, reason: 'gone' | 'failing'): Promise<void> {
    const sinceMs = (clock.now() - DAY_MS) as InstantMs
    if (reason === 'failing' && (await deliveries.hasDeliveredSince(tenant, endpoint, sinceMs))) return
    await endpoints.disable(tenant, endpoint, reason)
    switchedOff.inc({ reason })
    log.warn({ tenant, endpoint, reason }, 'webhook endpoint switched off')
  }

  async function beginDue(): Promise<boolean> {
    // What failed to be recorded is not fetched for ever, and memory is bounded.
    if (stopping.signal.aborted || underWay.size >= UNDER_WAY_MAX) return false
    const due = await deliveries.due(DUE_OF_ENDPOINT_MAX, [...underWay.keys()])
    const waiting = new Map<string, number>()
    for (const endpoint of underWay.values()) waiting.set(endpoint, (waiting.get(endpoint) ?? 0) + 1)
    const begun = due.filter((delivery) => {
      const name = `${delivery.tenant} ${delivery.endpoint}`
      const ahead = waiting.get(name) ?? 0
      waiting.set(name, ahead + 1)
      return ahead < DUE_OF_ENDPOINT_MAX
    })
    for (const delivery of begun) begin(delivery)
    return begun.length > 0
  }

  function begin(delivery: DueDelivery): void {
    const name = `${delivery.tenant} ${delivery.endpoint}`
    underWay.set(delivery.id, name)
    const queue = byEndpoint.get(name) ?? new PQueue({ concurrency: WEBHOOK_BOUNDS.sendingToEndpoint.most })
    byEndpoint.set(name, queue)
    void queue
      .add(() => all.add(() => tryOnce(delivery)))
      .then((ended) => {
        if (queue.size === 0 && queue.pending === 0) byEndpoint.delete(name)
        if (ended === null || ended === undefined) underWay.delete(delivery.id)
        else finished.push(ended)
        wake()
      })
  }

  /** Null when it was not begun, as the process stops. */
  async function tryOnce(delivery: DueDelivery): Promise<Finished | null> {
    if (stopping.signal.aborted) return null
    const { message, secrets, url, id } = delivery
    const event = eventJson(message)
    const body = JSON.stringify(event)
    const startedMs = clock.now()
    const sent = await send({ url, headers: webhookHeaders(secrets, event.id, startedMs, body), body })
    const nowMs = clock.now()
    const tries = delivery.tries + 1
    const { disable, ...next } = afterTry(tries, sent, nowMs, random())
    tried.inc({ outcome: next.state === 'delivered' ? 'delivered' : sent.status === null ? 'no_answer' : 'refused' })
    const { status, answer, error } = sent
    return { delivery, disable, result: { id, ...next, tries, triedAtMs: nowMs, tookMs: nowMs - startedMs, status, answer, error } }
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const isBusy = await round().then(
        (busy) => {
          troubles = []
          return busy
        },
        (error: unknown) => {
          if (troubles.length === 0) log.warn({ err: error }, 'webhooks not sent, tried again')
          troubles = ['webhooks_not_sent']
          return false
        },
      )
      // While much is under way, what ends within some ms is recorded together.
      await pause(isBusy ? GATHER_MS : IDLE_MS, !isBusy)
    }
    await all.onIdle()
    while (underWay.size > finished.length) await clock.turn()
    await recordFinished()
    await deliveries.resign(holder)
  }

  async function pause(ms: number, canWake: boolean): Promise<void> {
    const paused = new AbortController()
    wake = canWake ? () => paused.abort() : () => {}
    if (canWake && finished.length > 0) return
    await clock.sleep(ms, AbortSignal.any([paused.signal, stopping.signal]))
  }

  return {
    start() {
      running = work()
    },
    async stop() {
      stopping.abort()
      await running.catch((error: unknown) => log.warn({ err: error }, 'ends of webhooks not recorded: they are sent again'))
    },
    troubles: () => troubles,
  }
}

type Finished = { readonly delivery: DueDelivery; readonly result: RecordedTry; readonly disable: 'gone' | 'failing' | null }

/** After a kill the next process waits for as long as this. */
const LEASE_MS = 10_000
const PLACED_AT_ONCE = 1_000
const TOLD_AT_ONCE = 1_000
const TELL_EVERY_MS = 5_000
/** Of one endpoint, under way and waiting for their turn. */
const DUE_OF_ENDPOINT_MAX = 128
const UNDER_WAY_MAX = 4_096
const GATHER_MS = 10
const IDLE_MS = 500
/** The feed and the deliveries reach so far back. */
const KEPT_MS = 30 * DAY_MS
