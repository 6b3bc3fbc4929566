import type { Clock } from '../../../base/clock.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import type { CustomerRef } from '../counters.ts'
import { nameOfCustomer } from './redis-keys.ts'

/** Ends holds soon after they are due, so that readers of held units find few due ones. */
export type RedisHoldExpiry = {
  /** Reports that a hold of this customer is or will be due. */
  watch(customer: CustomerRef, dueAtMs: InstantMs): void
  /** Resolves when nothing is under way. */
  stop(): Promise<void>
}

const SWEEP_INTERVAL_MS = 500
/** Due holds of customers beyond this many are ended when somebody asks for them. */
const WATCHED_MAX = 100_000
const AT_ONCE_MAX = 8

const NEVER = Number.POSITIVE_INFINITY as InstantMs

type Watched = { readonly customer: CustomerRef; dueAtMs: InstantMs }

export function createRedisHoldExpiry(deps: {
  readonly clock: Clock
  /** Ends some holds of the customer that are due; resolves with the instant at which the next one is due, null for never. */
  readonly expire: (customer: CustomerRef, nowMs: InstantMs) => Promise<InstantMs | null>
}): RedisHoldExpiry {
  const { clock, expire } = deps
  const watched = new Map<string, Watched>()
  let sweeping: Promise<void> = Promise.resolve()
  let isStopped = false

  function sweep(): Promise<void> {
    const nowMs = clock.now()
    const due = [...watched.values()].filter(({ dueAtMs }) => dueAtMs <= nowMs)
    sweeping = expireAll(due, nowMs)
    return sweeping
  }

  async function expireAll(due: readonly Watched[], nowMs: InstantMs): Promise<void> {
    for (let from = 0; from < due.length && !isStopped; from += AT_ONCE_MAX) {
      await Promise.all(due.slice(from, from + AT_ONCE_MAX).map((each) => expireOf(each, nowMs)))
    }
  }

  async function expireOf(each: Watched, nowMs: InstantMs): Promise<void> {
    try {
      // A hold made meanwhile may be due earlier.
      each.dueAtMs = NEVER
      let next: InstantMs | null
      do next = await expire(each.customer, nowMs)
      while (next !== null && next <= nowMs && !isStopped)
      each.dueAtMs = Math.min(each.dueAtMs, next ?? NEVER) as InstantMs
      if (each.dueAtMs === NEVER) watched.delete(nameOfCustomer(each.customer))
    } catch {
      each.dueAtMs = nowMs
      // A caller who asks for something gets the error; here the next sweep tries again.
    }
  }

  const cancel = clock.every(SWEEP_INTERVAL_MS, sweep)
  return {
    watch(customer, dueAtMs) {
      const name = nameOfCustomer(customer)
      const known = watched.get(name)
      if (known !== undefined) known.dueAtMs = Math.min(known.dueAtMs, dueAtMs) as InstantMs
      else if (watched.size < WATCHED_MAX) watched.set(name, { customer, dueAtMs })
    },
    async stop() {
      isStopped = true
      cancel()
      await sweeping
    },
  }
}
