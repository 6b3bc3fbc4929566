import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import { createBalanceWatch } from './balance-watch.ts'
import { createEventLoad } from './event-load.ts'
import type { HoldRecords } from './hold-record.ts'
import type { Ledger } from './ledger.ts'
import { createReservationLoad } from './reservation-load.ts'
import type { RetryingClient } from './retrying-client.ts'
import { type MeterSpec, putMeter, type World } from './world.ts'

export type LoadCounts = {
  readonly events: number
  readonly repeats: number
  readonly late: number
  readonly reservations: number
  readonly refusals: number
  readonly decisions: number
  readonly uncertain: number
}

/** All senders of one run at once: events, reservations, decisions and meters. */
export type Load = {
  /** Puts the next meter while the rest goes on. False when none is left. */
  changeNextMeter(): boolean
  /** Ends when every sender has the answer to its last request. */
  end(): Promise<LoadCounts>
  /** Rejects as soon as one of the senders meets a difference. */
  readonly failed: Promise<never>
}

const EVENT_SENDERS = 3
const RESERVATION_SENDERS = 3
const PAUSE_MS_MAX = 30
/** Bounds a run however slow the machine: about this many requests of each sender. */
const REQUESTS_PER_SENDER_MAX = 150

export function startLoad(deps: {
  readonly client: RetryingClient
  readonly ledger: Ledger
  readonly holds: HoldRecords
  readonly world: World
  readonly random: SeededRandom
  readonly startedAtMs: number
}): Load {
  const { client, world, random } = deps
  let isEnding = false
  const meterChanges = [...world.meterChanges]
  const senders = <Sender>(kind: string, count: number, create: (random: SeededRandom, sender: number) => Sender): Sender[] =>
    Array.from({ length: count }, (_, sender) => create(random.fork(`${kind} ${sender}`), sender))
  const events = senders('events', EVENT_SENDERS, (ofSender, sender) => createEventLoad({ ...deps, random: ofSender }, sender))
  const reservations = senders('reservations', RESERVATION_SENDERS, (ofSender, sender) =>
    createReservationLoad({ ...deps, random: ofSender }, sender),
  )
  const watch = createBalanceWatch({ ...deps, random: random.fork('decisions') })

  async function repeatedly(pauses: SeededRandom, act: () => Promise<void>): Promise<void> {
    for (let requests = 0; requests < REQUESTS_PER_SENDER_MAX && !isEnding; requests++) {
      await act()
      await delay(pauses.below(PAUSE_MS_MAX))
    }
  }

  async function changeMeter(meter: MeterSpec): Promise<void> {
    world.meters.set(meter.key, meter)
    await putMeter(client, meter)
  }

  const underWay: Promise<void>[] = [
    ...events.map((load, sender) => repeatedly(random.fork(`pauses ${sender}`), load.send)),
    ...reservations.map((load, sender) => repeatedly(random.fork(`rests ${sender}`), load.reserve)),
    repeatedly(random.fork('looks'), watch.decide),
  ]
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  for (const work of underWay) work.catch(reject)
  return {
    failed,
    changeNextMeter() {
      const meter = meterChanges.shift()
      if (meter === undefined) return false
      const change = changeMeter(meter)
      change.catch(reject)
      underWay.push(change)
      return true
    },
    async end() {
      isEnding = true
      await Promise.all(underWay)
      // Meter changes that no death asked for are made now, over everything that was sent.
      await Promise.all(meterChanges.splice(0).map(changeMeter))
      const total = (loads: readonly { readonly counts: Readonly<Record<string, number>> }[], name: string) =>
        loads.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0)
      return {
        events: total(events, 'events'),
        repeats: total(events, 'repeats'),
        late: total(events, 'late'),
        reservations: total(reservations, 'reservations'),
        refusals: total(reservations, 'refusals'),
        ...watch.counts,
      }
    },
  }
}
