import { gzipSync } from 'node:zlib'
import type { SeededRandom } from '../support/seeded-random.ts'
import { Difference } from './difference.ts'
import type { Ledger, SentEvent } from './ledger.ts'
import type { RetryingClient } from './retrying-client.ts'
import { DAY_MS, subjectOf, type World } from './world.ts'

export type EventLoad = {
  /** Sends one request of events until it is acknowledged. */
  send(): Promise<void>
  readonly counts: { events: number; repeats: number; late: number; requests: number }
}

const REPEATS = 0.03
const LATE = 0.02
const UNREADABLE = 0.01
/** Times are drawn from this long ago on, so that events arrive in any order. */
const RECENT_MS = 20 * 60_000
const LATE_MS_MAX = 34 * DAY_MS

/** Events of one sender: seeded, apart from the time of day. */
export function createEventLoad(
  deps: {
    readonly client: RetryingClient
    readonly ledger: Ledger
    readonly world: World
    readonly random: SeededRandom
    readonly startedAtMs: number
  },
  sender: number,
): EventLoad {
  const { client, ledger, world, random, startedAtMs } = deps
  const counts = { events: 0, repeats: 0, late: 0, requests: 0 }
  const sent: SentEvent[] = []
  const customers = [...world.subscribers.keys(), ...world.strangers]

  function instantOf(customer: string): number {
    for (;;) {
      const isLate = random.chance(LATE)
      const timeMs = startedAtMs - (isLate ? random.between(RECENT_MS, LATE_MS_MAX) : random.between(1, RECENT_MS))
      if (!ledger.claimInstant(customer, timeMs)) continue
      if (isLate) counts.late++
      return timeMs
    }
  }

  function newEvent(): SentEvent {
    const customer = random.pick(customers)
    const usesCredits = world.subscribers.get(customer)?.usesCreditsByEvents === true && random.chance(0.1)
    const type = usesCredits ? 'credit.used' : random.pick(['llm.request', 'llm.request', 'job.run', 'page.view'])
    counts.events++
    return { id: `e-${sender}-${counts.events}`, customer, type, timeMs: instantOf(customer), data: dataOf(type, random) }
  }

  /** An acknowledged event stands, so a later repeat may have other content; one that races the first must be the same. */
  function repeated(event: SentEvent): SentEvent {
    counts.repeats++
    return ledger.isAcknowledged(event) && random.chance(0.5)
      ? {
          ...event,
          timeMs: event.timeMs + 61_000 > startedAtMs ? event.timeMs : event.timeMs + 61_000,
          data: { ...event.data, input: 1_000_000, seconds: '77' },
        }
      : event
  }

  return {
    counts,
    async send() {
      const size = random.chance(0.3) ? 1 : random.between(2, 30)
      const fresh: SentEvent[] = []
      const body: SentEvent[] = []
      for (let index = 0; index < size; index++) {
        const isRepeat = sent.length > 0 && random.chance(REPEATS)
        const event = isRepeat ? repeated(random.pick(sent)) : newEvent()
        if (!isRepeat) fresh.push(event)
        body.push(event)
        // Repeats within one request, too.
        if (!isRepeat && random.chance(REPEATS / 4)) body.push(event)
      }
      sent.push(...fresh)
      counts.requests++
      ledger.sending(fresh)
      await sendUntilAcknowledged(client, random, body)
      ledger.acknowledged(fresh)
    },
  }
}

async function sendUntilAcknowledged(client: RetryingClient, random: SeededRandom, events: readonly SentEvent[]): Promise<void> {
  const { body, headers } = requestOf(
    random.shuffled(events).map((event) => eventJson(event, random)),
    random,
  )
  await client.until(async () => {
    const answer = await client.send('POST', '/v1/events', body, headers)
    const { accepted, rejected } = answer.body as { accepted?: number; rejected?: readonly { readonly code: string }[] }
    if (answer.status !== 202 || rejected === undefined || rejected.some(({ code }) => !code.startsWith('log_'))) {
      throw new Difference('POST /v1/events', `202, ${events.length} accepted`, `${answer.status} ${answer.text.slice(0, 500)}`)
    }
    // The log had no room for some of the records: everything is sent again, as the answer asks.
    return accepted === events.length
  })
}

function eventJson({ id, customer, type, timeMs, data }: SentEvent, random: SeededRandom): object {
  const who = random.chance(0.2) && !STRANGER.test(customer) ? { subject: subjectOf(customer) } : { customer }
  return { id, type, ...who, time: new Date(timeMs).toISOString(), data }
}

/** Only customers that were created have subjects. */
const STRANGER = /^(nobody|passer\.by)$/

function requestOf(events: readonly object[], random: SeededRandom): { body: string | Uint8Array; headers: Record<string, string> } {
  const [first] = events
  if (events.length === 1 && first !== undefined) return { body: JSON.stringify(first), headers: { 'content-type': 'application/json' } }
  const isLines = random.chance(0.3)
  const text = isLines ? events.map((event) => JSON.stringify(event)).join('\n') : JSON.stringify(events)
  const headers = { 'content-type': isLines ? 'application/x-ndjson' : 'application/json' }
  return random.chance(0.3) ? { body: gzipSync(text), headers: { ...headers, 'content-encoding': 'gzip' } } : { body: text, headers }
}

function dataOf(type: string, random: SeededRandom): Record<string, unknown> {
  switch (type) {
    case 'llm.request':
      return {
        model: random.pick(['small', 'large', 'large']),
        user: `user-${random.below(12)}`,
        ...(random.chance(UNREADABLE) ? {} : { input: random.chance(UNREADABLE) ? 'many' : random.below(400) }),
        ...(random.chance(0.1) ? {} : { output: String(random.below(300)) }),
      }
    case 'job.run':
      return { region: random.pick(['eu', 'us', '']), seconds: random.chance(UNREADABLE) ? null : secondsOf(random) }
    case 'credit.used':
      return { credits: `0.${random.between(1, 99)}` }
    default:
      return { path: `/${random.below(100)}` }
  }
}

/** Numbers that no float adds up exactly. */
function secondsOf(random: SeededRandom): string | number {
  const seconds = `${random.below(3)}.${String(random.between(1, 999_999_999)).padStart(9, '0')}`
  return random.chance(0.5) ? seconds : Number(seconds.slice(0, 5))
}
