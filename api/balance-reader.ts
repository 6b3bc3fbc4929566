import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { CounterReading, Counters, CustomerRef } from '../adapters/counters/counters.ts'
import { createPeriodCursor, type PeriodCursor } from '../domain/calendar.ts'
import type { Clock } from '../domain/clock.ts'
import type { MeteredEntitlement } from '../domain/entitlements.ts'
import { Fault } from '../domain/fault.ts'
import type { CustomerKey, InstantMs, Period, TenantKey } from '../domain/identity.ts'
import { partitionOf } from '../domain/partitioning.ts'
import type { TrackedFeature } from '../domain/tracked-feature.ts'
import type { MeteredSpent } from './balance.ts'
import type { CountersCatchUp } from './counters-catch-up.ts'
import type { EntitlementCache } from './entitlement-cache.ts'

export type BalanceReader = {
  /**
   * What was spent of each entitlement in the period under way, in one reading. Counters that are not tracked yet, or under another definition,
   * are asked for and waited for: at most `TRACKING_WAIT_MAX_MS`, then Fault `balance_unavailable` (canRetry). With a hard
   * limit among them, counters that rebuild after a restart are waited for first (`CountersCatchUp`).
   */
  spent(tenant: TenantKey, customer: CustomerKey, entitlements: readonly MeteredEntitlement[]): Promise<readonly MeteredSpent[]>
  /** The entitlement's period that holds the instant. */
  periodAt(entitlement: MeteredEntitlement, atMs: InstantMs): Period
  /**
   * Has a customer's counters tracked before anyone asks for them; to be called when its subscriptions changed. Waits as
   * `spent` does and never rejects: the next reading asks again.
   */
  trackCustomer(tenant: TenantKey, customer: CustomerKey): Promise<void>
}

export const TRACKING_WAIT_MAX_MS = 2000
const POLL_INTERVAL_MS = 4
/** The answer to a request may be of entitlements that have just changed again, or its taker may have died. */
const REQUEST_AGAIN_MS = 250

export function createBalanceReader(deps: {
  readonly entitlements: EntitlementCache
  readonly counters: Counters
  readonly catchUp: CountersCatchUp
  readonly clock: Clock
  readonly partitions: number
  readonly log: Logger
  readonly registry: Registry
  readonly trackingWaitMaxMs?: number
}): BalanceReader {
  const { entitlements: cache, counters, catchUp, clock, partitions, log, registry, trackingWaitMaxMs = TRACKING_WAIT_MAX_MS } = deps
  const waits = new Counter({
    name: 'tollgate_tracking_waits_total',
    help: 'Waits for counters that were not tracked yet, by how they ended',
    labelNames: ['result'],
    registers: [registry],
  })
  // Periods are compared, not computed, while one lasts. Goes with the cached entitlement.
  const cursors = new WeakMap<TrackedFeature, PeriodCursor>()
  const waiting = new Map<string, Promise<void>>()
  const cursorOf = (tracked: TrackedFeature): PeriodCursor => {
    const known = cursors.get(tracked)
    if (known !== undefined) return known
    const cursor = createPeriodCursor(tracked.schedule)
    cursors.set(tracked, cursor)
    return cursor
  }

  /** Undefined when one of the counters is not (yet) the one that the entitlement needs. */
  async function tryRead(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<MeteredSpent[] | undefined> {
    const nowMs = clock.now()
    const current = entitlements.map((entitlement) => ({ entitlement, period: cursorOf(entitlement.tracked).at(nowMs) }))
    const readings = await counters.read(
      ref,
      current.map(({ entitlement, period }) => ({ feature: entitlement.feature, periodStartMs: period.startMs })),
      nowMs,
    )
    const found: MeteredSpent[] = []
    for (const [index, { entitlement, period }] of current.entries()) {
      const reading = readings[index]
      if (!isComplete(reading, entitlement.tracked.definition, period.startMs)) return undefined
      found.push({ entitlement, spent: { usedUnits: reading.usedUnits, heldUnits: reading.heldUnits, period } })
    }
    return found
  }

  async function waitUntilTracked(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<void> {
    // Waited time is added up, not read from the clock: the bound holds whatever the clock does.
    let askAgainAtMs = 0
    for (let waitedMs = 0; waitedMs < trackingWaitMaxMs; waitedMs += POLL_INTERVAL_MS) {
      if (waitedMs >= askAgainAtMs) {
        await counters.requestTracking(ref)
        askAgainAtMs = waitedMs + REQUEST_AGAIN_MS
      }
      await delay(POLL_INTERVAL_MS)
      if ((await tryRead(ref, entitlements)) !== undefined) {
        waits.inc({ result: 'tracked' })
        return
      }
    }
    waits.inc({ result: 'timed_out' })
  }

  /** Requests that want the same share one wait. */
  function sharedWait(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<void> {
    const wanted = JSON.stringify([ref.tenant, ref.customer, ...entitlements.map(({ feature, tracked }) => [feature, tracked.definition])])
    const underWay = waiting.get(wanted)
    if (underWay !== undefined) return underWay
    const started = waitUntilTracked(ref, entitlements).finally(() => waiting.delete(wanted))
    waiting.set(wanted, started)
    return started
  }

  async function spent(tenant: TenantKey, customer: CustomerKey, entitlements: readonly MeteredEntitlement[]) {
    if (entitlements.length === 0) return []
    const ref = { tenant, customer, partition: partitionOf(tenant, customer, partitions) }
    if (entitlements.some(({ limit, limitType }) => limit !== null && limitType === 'hard')) await catchUp.wait(ref.partition)
    const found = await tryRead(ref, entitlements)
    if (found !== undefined) return found
    await sharedWait(ref, entitlements)
    const foundLater = await tryRead(ref, entitlements)
    if (foundLater === undefined) throw unavailable(trackingWaitMaxMs)
    return foundLater
  }

  return {
    spent,
    periodAt: ({ tracked }, atMs) => cursorOf(tracked).at(atMs),
    async trackCustomer(tenant, customer) {
      try {
        const { entitlements } = await cache.entitlementsOf(tenant, customer)
        await spent(
          tenant,
          customer,
          [...entitlements.values()].filter((entitlement) => entitlement.type === 'metered'),
        )
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        log.warn({ err: error }, 'customer was not tracked ahead of its first balance')
      }
    },
  }
}

function isComplete(reading: CounterReading | undefined, definition: string, periodStartMs: number): reading is CounterReading {
  return reading !== undefined && reading.definition === definition && reading.trackedFromMs <= periodStartMs
}

function unavailable(waitedMs: number): Fault {
  return new Fault('balance_unavailable', `a customer's counters were not tracked within ${waitedMs} ms`, {
    canRetry: true,
    publicText: 'The balance is still being counted; try again.',
  })
}
