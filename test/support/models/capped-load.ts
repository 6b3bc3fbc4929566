import { setTimeout as delay } from 'node:timers/promises'
import { Difference } from '../../crash/difference.ts'
import { createHoldRecords, type HoldRecord } from '../../crash/hold-record.ts'
import type { ClientAnswer, RetryingClient } from '../../crash/retrying-client.ts'
import { decimalOf, exactOf } from '../exact-decimal.ts'
import { createSeededRandom, type SeededRandom } from '../seeded-random.ts'

/** Load while servers fail: single events, reservations under hard limits, decisions. Every answer is judged. */
export type CappedLoad = {
  /** Earlier holds may be gone, as the counters' store has lost all or some of them. Usage is not lost. */
  holdsMayBeLost(): void
  readonly counts: {
    events: number
    reservations: number
    settled: number
    refused: number
    lost: number
    decisions: number
    uncertain: number
  }
  /** Resolves when every sender has the answer to its last request. */
  end(): Promise<void>
  /** Rejects with the first difference. */
  readonly failed: Promise<never>
  /** After the end: usage and holds must be as the sender knows them. */
  compare(): Promise<void>
}

/** One limit that is reached within seconds and must never be exceeded, whatever is lost; and one that is never reached. */
const LIMITS = { tight: '40', wide: '1000000' } as const
const CUSTOMERS = Object.keys(LIMITS) as readonly (keyof typeof LIMITS)[]
const EVENT_SENDERS = 2
const RESERVATION_SENDERS = 2
const PAUSE_MS_MAX = 60
const SIDE_CUSTOMERS = 7

export async function setUpCapped(api: RetryingClient): Promise<void> {
  const put = (path: string, body: object) => api.expect('PUT', path, body, [200, 201])
  await put('/v1/meters/side', { eventType: 'side.event', aggregation: 'sum', value: 'n' })
  await put('/v1/meters/credits', { eventType: 'credit.used', aggregation: 'sum', value: 'n' })
  await put('/v1/features/credits', { type: 'metered', meter: 'credits' })
  await put('/v1/products/capped', { name: 'Capped' })
  for (const [customer, limit] of Object.entries(LIMITS)) {
    const entitlements = [{ feature: 'credits', limit, limitType: 'hard', reset: 'never' }]
    await put(`/v1/plans/${customer}`, { product: 'capped', name: customer, currency: 'USD', interval: 'month', entitlements })
    await put(`/v1/customers/${customer}`, {})
    await api.expect('POST', '/v1/subscriptions', { customer, plan: customer }, [201])
  }
}

export function startCappedLoad(deps: {
  /** Any gateway, any api: each try may reach another one. */
  readonly ingest: RetryingClient
  readonly api: RetryingClient
  readonly seed: number
}): CappedLoad {
  const { ingest, api } = deps
  const random = createSeededRandom(deps.seed)
  const holds = createHoldRecords()
  /** Held before the last loss: a settle or release may find nothing. */
  const perhapsLost = new Set<HoldRecord>()
  const counts = { events: 0, reservations: 0, settled: 0, refused: 0, lost: 0, decisions: 0, uncertain: 0 }
  const sideTotal = { events: 0, sum: 0 }
  let isEnding = false

  /** Each event is sent until it is acknowledged, and then never again: one lost after that stays lost. */
  async function sendEvent(): Promise<void> {
    const n = ++counts.events
    const body = { id: `side-${n}`, type: 'side.event', customer: `side-${n % SIDE_CUSTOMERS}`, data: { n } }
    const answer = await ingest.send('POST', '/v1/events', body)
    if (answer.status !== 202) throw new Difference(`event side-${n}`, '202', `${answer.status} ${answer.text}`)
    sideTotal.events++
    sideTotal.sum += n
  }

  async function reserve(chance: SeededRandom): Promise<void> {
    const customer = chance.pick(CUSTOMERS)
    const hold = holds.ask(
      {
        id: `hold-${++counts.reservations}`,
        customer,
        quantity: exactOf(chance.between(1, 5)),
        // Long: abandoned holds end by a loss alone. Short: units are freed and taken again.
        ttlMs: chance.pick([1_500, 600_000]),
      },
      Date.now(),
    )
    await reserveUntilAnswered(hold)
    if (hold.state !== 'held') return
    await delay(chance.below(PAUSE_MS_MAX))
    if (chance.chance(0.5)) await settle(hold, chance)
    else if (chance.chance(0.8)) await release(hold)
  }

  async function reserveUntilAnswered(hold: HoldRecord): Promise<void> {
    const { id, customer, quantity, ttlMs } = hold
    let sentMs = 0
    let answer: ClientAnswer | null = null
    await api.until(async () => {
      sentMs = Date.now()
      answer = await api.once('POST', '/v1/reservations', { id, customer, feature: 'credits', quantity: decimalOf(quantity), ttlMs })
      return answer !== null
    })
    const { status, body, text } = answer as unknown as ClientAnswer
    const told = body as { status: string; expiresAt: string; code: string }
    if (status === 200 || status === 201) {
      hold.expiresAtMs = Date.parse(told.expiresAt)
      hold.state = told.status === 'held' ? 'held' : 'lost'
      judgeLimit(customer, `after ${id} was held`)
    } else if (status === 409 && told.code === 'hard_limit_reached') {
      hold.state = 'refused'
      counts.refused++
      const taken = holds.perhaps(customer, sentMs) + comeBack(customer, sentMs) + quantity
      if (taken <= limitOf(customer)) throw new Difference(id, `held, as at most ${decimalOf(taken)} are taken with it`, text)
    } else if (status === 409 && told.code === 'reservation_expired') {
      hold.state = 'lost'
      hold.expiresAtMs = Date.now()
    } else throw new Difference(`POST /v1/reservations ${id}`, '201, 200, 409', `${status} ${text}`)
  }

  /** Never more than held, so that everything fits under the limit. */
  async function settle(hold: HoldRecord, chance: SeededRandom): Promise<void> {
    hold.requested = chance.pick([hold.quantity, exactOf(1)])
    hold.state = 'settling'
    const answer = await api.send('POST', `/v1/reservations/${hold.id}/settle`, { quantity: decimalOf(hold.requested) })
    if (isExcusedLoss(hold, answer)) return
    const told = answer.body as { settled: string; refused: string }
    if (answer.status !== 200) throw new Difference(`settle of ${hold.id}`, '200', `${answer.status} ${answer.text}`)
    hold.settled = exactOf(told.settled)
    hold.endedMs = Date.now()
    hold.state = 'settled'
    counts.settled++
    const isKept = hold.expiresAtMs > hold.endedMs && !perhapsLost.has(hold)
    if (isKept && hold.settled !== hold.requested) throw new Difference(`settle of ${hold.id}`, decimalOf(hold.requested), told)
    judgeLimit(hold.customer, `after ${hold.id} was settled`)
  }

  async function release(hold: HoldRecord): Promise<void> {
    hold.state = 'releasing'
    const answer = await api.send('POST', `/v1/reservations/${hold.id}/release`)
    if (isExcusedLoss(hold, answer)) return
    if (answer.status !== 200) throw new Difference(`release of ${hold.id}`, '200', `${answer.status} ${answer.text}`)
    hold.endedMs = Date.now()
    hold.state = 'released'
  }

  function isExcusedLoss(hold: HoldRecord, { status }: ClientAnswer): boolean {
    if (status !== 404 || !perhapsLost.has(hold)) return false
    counts.lost++
    // A settle whose answer was lost may count nevertheless.
    hold.state = 'lost'
    return true
  }

  /** Units that are surely taken: settled, and held unless they may have been lost. */
  function judgeLimit(customer: string, when: string): void {
    const untilMs = Date.now()
    const maybe = holds.of(customer).filter((hold) => perhapsLost.has(hold) && (hold.state === 'held' || hold.state === 'settling'))
    const unsure = maybe.reduce((sum, hold) => sum + (hold.expiresAtMs > untilMs ? hold.quantity : 0n), 0n)
    const taken = holds.surely(customer, untilMs) - unsure
    if (taken > limitOf(customer)) throw new Difference(`hard limit of ${customer} ${when}`, LIMITS[customer as 'tight'], decimalOf(taken))
  }

  /** A loss of the last second may undo the end of a hold, which is then held again until it expires. */
  function comeBack(customer: string, sinceMs: number): bigint {
    const ended = holds.of(customer).filter((hold) => perhapsLost.has(hold) && (hold.state === 'settled' || hold.state === 'released'))
    return ended.reduce((sum, hold) => sum + (hold.expiresAtMs >= sinceMs ? hold.quantity : 0n), 0n)
  }

  async function decide(chance: SeededRandom): Promise<void> {
    counts.decisions++
    const customer = chance.pick(CUSTOMERS)
    const settledBefore = settledOf(customer)
    const answer = await api.send('POST', '/v1/decisions', { customer, feature: 'credits', quantity: '1' })
    if (answer.status !== 200) throw new Difference(`decision of ${customer}`, '200', `${answer.status} ${answer.text}`)
    const { allowed, code, balance } = answer.body as DecisionBody
    if (balance === undefined) {
      if (allowed || code !== 'uncertain_denied') throw new Difference(`decision of ${customer} without a balance`, 'denied', answer.text)
      counts.uncertain++
      return
    }
    const taken = exactOf(balance.used) + exactOf(balance.held)
    const mayBeAllowed = taken + exactOf(1) <= limitOf(customer)
    if (allowed !== mayBeAllowed) throw new Difference(`decision of ${customer}`, { allowed: mayBeAllowed }, answer.text)
    // A settlement counts as used or held from its answer on, whatever is lost: no decision is based on usage that is too low.
    if (taken < settledBefore) throw new Difference(`decision of ${customer}: used and held`, decimalOf(settledBefore), answer.text)
    if (exactOf(balance.used) > limitOf(customer)) throw new Difference(`used by ${customer}`, LIMITS[customer], balance.used)
  }

  function settledOf(customer: string): bigint {
    return holds.of(customer).reduce((sum, hold) => sum + (hold.state === 'settled' ? hold.settled : 0n), 0n)
  }

  async function repeatedly(pauses: SeededRandom, act: () => Promise<void>): Promise<void> {
    while (!isEnding) {
      await act()
      await delay(pauses.below(PAUSE_MS_MAX))
    }
  }

  const senders = (kind: string, count: number, act: (chance: SeededRandom) => Promise<void>) =>
    Array.from({ length: count }, (_, sender) => {
      const chance = random.fork(`${kind} ${sender}`)
      return repeatedly(random.fork(`pauses of ${kind} ${sender}`), () => act(chance))
    })
  const underWay = [
    ...senders('events', EVENT_SENDERS, sendEvent),
    ...senders('reservations', RESERVATION_SENDERS, reserve),
    ...senders('decisions', 1, decide),
  ]
  const failed = new Promise<never>((_resolve, reject) => underWay.map((work) => work.catch(reject)))
  failed.catch(() => undefined)

  return {
    counts,
    failed,
    holdsMayBeLost() {
      for (const hold of holds.all()) if (hold.state !== 'refused') perhapsLost.add(hold)
    },
    async end() {
      isEnding = true
      await Promise.all(underWay)
    },
    async compare() {
      const range = `from=${new Date(Date.now() - 86_400_000).toISOString()}&to=${new Date(Date.now() + 86_400_000).toISOString()}`
      const usage = async (meter: string) => {
        const path = `/v1/meters/${meter}/usage?${range}&groupBy=customer`
        return (await api.expect<{ data: { customer: string; events: number; value: string }[] }>('GET', path, undefined, [200])).data
      }
      await api.until(async () => (await usage('side')).reduce((sum, { events }) => sum + events, 0) >= sideTotal.events)
      const side = await usage('side')
      const found = {
        events: side.reduce((sum, { events }) => sum + events, 0),
        sum: side.reduce((sum, { value }) => sum + Number(value), 0),
      }
      if (JSON.stringify(found) !== JSON.stringify(sideTotal)) throw new Difference('events, each sent once', sideTotal, found)
      for (const customer of CUSTOMERS) await compareCapped(customer)
    },
  }

  async function compareCapped(customer: string): Promise<void> {
    const path = `/v1/customers/${customer}/balances/credits`
    const least = settledOf(customer)
    await api.until(async () => exactOf((await api.expect<{ used: string }>('GET', path, undefined, [200])).used) >= least)
    const { used } = await api.expect<{ used: string }>('GET', path, undefined, [200])
    const unanswered = holds.of(customer).filter((hold) => hold.state === 'lost')
    const most = least + unanswered.reduce((sum, hold) => sum + hold.requested, 0n)
    if (exactOf(used) > most || exactOf(used) > limitOf(customer)) throw new Difference(`used by ${customer}`, decimalOf(least), used)
  }
}

/** Without a balance where none could be trusted. */
type DecisionBody = {
  readonly allowed: boolean
  readonly code: string
  readonly balance?: { readonly used: string; readonly held: string }
}

function limitOf(customer: string): bigint {
  return exactOf(LIMITS[customer as keyof typeof LIMITS])
}
