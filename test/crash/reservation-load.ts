import { setTimeout as delay } from 'node:timers/promises'
import { decimalOf, exactOf } from '../support/exact-decimal.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import { Difference } from './difference.ts'
import type { HoldRecord, HoldRecords } from './hold-record.ts'
import type { Ledger, SentEvent } from './ledger.ts'
import type { RetryingClient } from './retrying-client.ts'
import { CREDITS, type World } from './world.ts'

export type ReservationLoad = {
  /** One reservation from its beginning to its end, or abandoned. */
  reserve(): Promise<void>
  readonly counts: { reservations: number; refusals: number }
}

type Deps = {
  readonly client: RetryingClient
  readonly ledger: Ledger
  readonly holds: HoldRecords
  readonly world: World
  readonly random: SeededRandom
}
type ReservationBody = {
  readonly id: string
  readonly status: string
  readonly expiresAt: string
  readonly settled?: string
  readonly refused?: string
  readonly code?: string
}

/** Reservations of one sender. Its ids are its own, so that a lost answer does no harm. */
export function createReservationLoad(deps: Deps, sender: number): ReservationLoad {
  const { random } = deps
  const counts = { reservations: 0, refusals: 0 }
  const customers = [...deps.world.subscribers.keys()]
  return {
    counts,
    async reserve() {
      counts.reservations++
      const quantity = exactOf(`${random.between(0, 9)}.${random.between(1, 999)}`)
      // The short ones expire within a run.
      const ttlMs = random.pick([1_000, 2_000, LONG_TTL_MS, LONG_TTL_MS, LONG_TTL_MS])
      // Most of them for two customers, who soon reach their limit.
      const customer = random.pick(random.chance(0.6) ? customers.slice(0, 2) : customers)
      const hold = deps.holds.ask({ id: `r-${sender}-${counts.reservations}`, customer, quantity, ttlMs }, Date.now())
      await reserveUntilAnswered(deps, hold)
      if (hold.state === 'refused') counts.refusals++
      if (hold.state !== 'held') return
      await delay(random.below(60))
      const end = random.below(10)
      // Events count whole, so that a hold which may be over by then would pass the limit with them.
      if (end < 3 && ttlMs === LONG_TTL_MS) await settleByEvents(deps, hold, random)
      else if (end < 6) await settle(deps, hold, random)
      else if (end < 8) await release(deps, hold)
      else if (end < 9) await extend(deps, hold)
    },
  }
}

function wholeNanos(quantity: bigint): bigint {
  return quantity - (quantity % exactOf('0.000000001'))
}

/** Nothing held for so long expires within a run. */
const LONG_TTL_MS = 600_000

/** The hard limit that the customer's plan puts on credits. */
export function creditLimit(world: World, customer: string): bigint {
  const plan = world.plans.get(world.subscribers.get(customer)?.plan ?? '')
  const limit = plan?.entitlements.find(({ feature }) => feature === CREDITS)?.limit
  if (limit === undefined || limit === null) throw new Error(`${customer} has a limit on ${CREDITS}`)
  return exactOf(limit)
}

async function reserveUntilAnswered({ client, holds, world }: Deps, hold: HoldRecord): Promise<void> {
  const { id, customer, quantity, ttlMs } = hold
  const body = { id, customer, feature: CREDITS, quantity: decimalOf(quantity), ttlMs }
  let sentMs = 0
  let answer = null
  await client.until(async () => {
    sentMs = Date.now()
    answer = await client.once('POST', '/v1/reservations', body)
    return answer !== null
  })
  const { status, body: told, text } = answer as unknown as { status: number; body: ReservationBody; text: string }
  const answeredMs = Date.now()
  const limit = creditLimit(world, customer)
  if (status === 201 || status === 200) {
    hold.expiresAtMs = Date.parse(told.expiresAt)
    // The first answer may have been lost: it was held from some try on, and may be over by now.
    hold.state = told.status === 'held' ? 'held' : 'lost'
    const taken = holds.surely(customer, answeredMs)
    if (taken > limit)
      throw new Difference(`hard limit of ${customer} after ${id} was held`, `at most ${decimalOf(limit)}`, decimalOf(taken))
    return
  }
  if (status === 409 && told.code === 'hard_limit_reached') {
    hold.state = 'refused'
    const usesCredits = world.subscribers.get(customer)?.usesCreditsByEvents === true
    const taken = holds.perhaps(customer, sentMs) + quantity
    if (!usesCredits && taken <= limit)
      throw new Difference(`${id} of ${customer}`, `held, as at most ${decimalOf(taken)} of ${decimalOf(limit)} were taken with it`, text)
    return
  }
  if (status === 409 && told.code === 'reservation_expired') {
    hold.state = 'lost'
    hold.expiresAtMs = answeredMs
    return
  }
  throw new Difference(`POST /v1/reservations ${id}`, '201, 200, 409 hard_limit_reached or reservation_expired', `${status} ${text}`)
}

/** Less, as much, or more than held. The time is given, so that the sender knows the minute that it counts in. */
async function settle({ client, ledger, holds, world }: Deps, hold: HoldRecord, random: SeededRandom): Promise<void> {
  hold.requested = random.pick([0n, wholeNanos(hold.quantity / 2n), hold.quantity, hold.quantity + exactOf('1.25')])
  hold.state = 'settling'
  const timeMs = hold.expiresAtMs - hold.ttlMs
  const body = { quantity: decimalOf(hold.requested), time: new Date(timeMs).toISOString() }
  const told = await client.expect<ReservationBody>('POST', `/v1/reservations/${hold.id}/settle`, body, [200])
  hold.settled = exactOf(told.settled ?? '')
  hold.endedMs = Date.now()
  hold.state = 'settled'
  const refused = exactOf(told.refused ?? '')
  if (hold.settled + refused !== hold.requested) {
    throw new Difference(`settle of ${hold.id}`, `settled + refused = ${decimalOf(hold.requested)}`, told)
  }
  const isOverHold = hold.settled > hold.quantity
  const limit = creditLimit(world, hold.customer)
  const taken = holds.surely(hold.customer, Date.now())
  if (isOverHold && taken > limit) {
    throw new Difference(`hard limit of ${hold.customer} after ${hold.id} was settled`, `at most ${decimalOf(limit)}`, decimalOf(taken))
  }
  ledger.settled({ reservation: hold.id, customer: hold.customer, meter: CREDITS, timeMs, quantity: hold.settled })
}

/** Some events, together as much as is held or half of it. The hold ends in the step in which they count, whatever dies meanwhile. */
async function settleByEvents({ client, ledger, holds, world }: Deps, hold: HoldRecord, random: SeededRandom): Promise<void> {
  const part = wholeNanos(hold.quantity / random.pick([2n, 3n, 4n]))
  const quantities = random.pick([[part], [part, part], [part, hold.quantity - part]])
  hold.requested = quantities.reduce((sum, quantity) => sum + quantity, 0n)
  hold.state = 'settling'
  const timeMs = hold.expiresAtMs - hold.ttlMs
  const events = quantities.map((quantity, index): SentEvent => {
    const data = { credits: decimalOf(quantity) }
    return { id: `${hold.id}-${index}`, customer: hold.customer, type: 'credit.used', timeMs, data }
  })
  ledger.sending(events)
  const body = { events: events.map(({ id, type, data }) => ({ id, type, data, time: new Date(timeMs).toISOString() })) }
  const told = await client.expect<ReservationBody>('POST', `/v1/reservations/${hold.id}/settle`, body, [200])
  ledger.acknowledged(events)
  ledger.settledByEvents(hold.id)
  hold.settled = exactOf(told.settled ?? '')
  hold.endedMs = Date.now()
  hold.state = 'settled'
  if (hold.settled !== hold.requested || told.refused !== '0') {
    throw new Difference(`settle of ${hold.id} by events`, `settled ${decimalOf(hold.requested)}, refused 0`, told)
  }
  const limit = creditLimit(world, hold.customer)
  const taken = holds.surely(hold.customer, Date.now())
  if (taken > limit) {
    throw new Difference(`hard limit of ${hold.customer} after ${hold.id} was settled`, `at most ${decimalOf(limit)}`, decimalOf(taken))
  }
}

async function release({ client }: Deps, hold: HoldRecord): Promise<void> {
  hold.state = 'releasing'
  await client.expect('POST', `/v1/reservations/${hold.id}/release`, undefined, [200])
  hold.endedMs = Date.now()
  hold.state = 'released'
}

/** Too late is a valid answer as well. */
async function extend({ client }: Deps, hold: HoldRecord): Promise<void> {
  hold.state = 'extending'
  const told = await client.expect<ReservationBody>('POST', `/v1/reservations/${hold.id}/extend`, { ttlMs: 900_000 }, [200, 409])
  if (told.expiresAt !== undefined) hold.expiresAtMs = Date.parse(told.expiresAt)
  hold.state = 'held'
}
