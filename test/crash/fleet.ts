import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import { type Death, die, type UnderLoad, untilReady } from './killer.ts'
import { type ServerLife, type ServerPlace, startServerLife } from './server-life.ts'

export type FleetRole = 'ingest' | 'aggregator' | 'api'
export type FleetDeath = Death & { readonly who: string }

/** Processes with one role each, which are killed one by one or several at once, and started again. */
export type Fleet = {
  /** Some of them die before their first readiness. */
  start(random: SeededRandom, load: UnderLoad): Promise<void>
  /** Kills one of them, or all at once, and starts it again. */
  disturb(random: SeededRandom, load: UnderLoad): Promise<void>
  ready(): Promise<void>
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

type Member = { readonly role: FleetRole; readonly place: ServerPlace; life: ServerLife | null }

const FIRST_DEATH = 0.3
const ALL_AT_ONCE = 0.15
const DEATH_IN_NEXT_START = 0.3

export function createFleet(
  places: readonly { readonly role: FleetRole; readonly place: ServerPlace }[],
  onDeath: (death: FleetDeath) => void,
): Fleet {
  const members: Member[] = places.map((each) => ({ ...each, life: null }))

  async function dieAndStart(member: Member, death: Death, load: UnderLoad): Promise<void> {
    onDeath({ ...death, who: `${member.role} ${members.indexOf(member)}` })
    if (member.life !== null) await die(member.life, death, load)
    member.life = startServerLife(member.place)
  }

  async function ready(): Promise<void> {
    await Promise.all(members.map(({ life }) => life && untilReady(life)))
  }

  return {
    async start(random, load) {
      for (const member of members) member.life = startServerLife(member.place)
      const dying = members.filter(() => random.chance(FIRST_DEATH))
      const deaths = dying.map((member) => ({
        member,
        death: { during: 'first start', answers: 0, afterMs: random.below(3_000) } as const,
      }))
      await Promise.all(deaths.map(({ member, death }) => dieAndStart(member, death, load)))
      await ready()
    },
    async disturb(random, load) {
      const member = random.pick(members)
      if (random.chance(ALL_AT_ONCE)) {
        // Each dies a moment later, so that some see the others die.
        const deaths = members.map((each) => ({ each, death: { during: 'load', answers: random.between(10, 60), afterMs: 0 } as const }))
        await Promise.all(deaths.map(({ each, death }) => dieAndStart(each, death, load)))
        return
      }
      await dieAndStart(member, drawRoleDeath(random, member.role), load)
      if (!random.chance(DEATH_IN_NEXT_START)) return
      await dieAndStart(member, { during: 'start', answers: 0, afterMs: random.below(1_800) }, load)
    },
    ready,
    async end(signal) {
      for (const { life } of members) life?.kill(signal)
      const gone = Promise.all(members.map(({ life }) => life?.exited))
      const isGone = await Promise.race([gone.then(() => true), delay(GONE_WITHIN_MS, false, { ref: false })])
      if (isGone) return
      for (const { life } of members) life?.kill('SIGKILL')
      await gone
    },
  }
}

const GONE_WITHIN_MS = 60_000

function drawRoleDeath(random: SeededRandom, role: FleetRole): Death {
  const during = random.pick(
    role === 'aggregator' ? (['load', 'flush', 'flush', 'backfill', 'stop'] as const) : (['load', 'load', 'stop'] as const),
  )
  const afterMs = { load: 0, flush: 25, backfill: 120, stop: 400 }[during]
  return { during, answers: random.between(10, 250), afterMs: random.below(afterMs + 1) }
}
