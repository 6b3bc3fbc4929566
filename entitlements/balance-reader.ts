import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { Cap, CounterReading, Counters, CustomerRef } from '../adapters/counters/counters.ts'
import type { AllowanceOpeningStore } from '../adapters/database/allowance-openings/allowance-opening-store.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { invariant } from '../base/invariant.ts'
import { type MaybePromise, whenKnown } from '../base/maybe-promise.ts'
import { createSharedWork } from '../base/shared-work.ts'
import type { LedgerSnapshot } from '../domain/allowance/allowance-ledger.ts'
import type { MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import { countingBasis } from '../domain/entitlements/tracked-feature.ts'
import { type CustomerKey, END_OF_TIME_MS, type InstantMs, type Period, type TenantKey } from '../domain/identity.ts'
import { partitionOf } from '../domain/metering/partitioning.ts'
import { capOn, countedIn, createCounterPeriods } from './counter-periods.ts'
import type { CountersCatchUp } from './counters-catch-up.ts'
import type { EntitlementCache } from './entitlement-cache.ts'
import type { MeteredSpent } from './metered-spent.ts'

export type BalanceReader = {
  /**
   * What was spent of each entitlement in the current period, in one reading. Counters that are not tracked yet, or under another
   * definition, are requested and waited for: at most `TRACKING_WAIT_MAX_MS`, then Fault `balance_unavailable` (canRetry). When
   * an entitlement has a hard limit, counters that rebuild after a restart are waited for first (`CountersCatchUp`). Not a
   * promise where nothing is waited for; it then throws where others reject.
   */
  spent(tenant: TenantKey, customer: CustomerKey, entitlements: readonly MeteredEntitlement[]): MaybePromise<readonly MeteredSpent[]>
  /** The same for one entitlement where it can be said without a wait; null where it cannot, also while the counters are unavailable. */
  spentNow(tenant: TenantKey, customer: CustomerKey, entitlement: MeteredEntitlement): Promise<MeteredSpent | null>
  /** How far the counters may let usage and holds go now, after a reading where one is needed, and how to read their answer. Faults as `spent`. */
  cap(tenant: TenantKey, customer: CustomerKey, entitlement: MeteredEntitlement): Promise<CounterCap>
  /** The entitlement's period that holds the instant: between resets, manual ones too. */
  periodAt(entitlement: MeteredEntitlement, atMs: InstantMs): Period
  /**
   * Has a customer's counters tracked before anyone asks for them; to be called when its subscriptions changed. Waits as `spent`
   * does and never rejects: the next reading asks again.
   */
  trackCustomer(tenant: TenantKey, customer: CustomerKey): Promise<void>
}

export type CounterCap = {
  readonly cap: Cap
  /** Half-open: from this instant on the cap is another one. */
  readonly untilMs: InstantMs
  /** Spent units, from what `reserve` answers about the capped period. */
  readonly spentOf: (answer: Pick<CounterReading, 'usedUnits' | 'heldUnits'>) => MeteredSpent
}

export const TRACKING_WAIT_MAX_MS = 2000
const POLL_INTERVAL_MS = 4
/** The request may have been answered for entitlements that have just changed again, or the process that took it may have died. */
const REQUEST_AGAIN_MS = 250

export function createBalanceReader(deps: {
  readonly allowanceOpenings: AllowanceOpeningStore
  readonly entitlements: EntitlementCache
  readonly counters: Counters
  readonly catchUp: CountersCatchUp
  readonly clock: Clock
  readonly partitions: number
  readonly log: Logger
  readonly registry: Registry
  readonly trackingWaitMaxMs?: number
}): BalanceReader {
  const {
    allowanceOpenings,
    entitlements: cache,
    counters,
    catchUp,
    clock,
    partitions,
    log,
    registry,
    trackingWaitMaxMs = TRACKING_WAIT_MAX_MS,
  } = deps
  const waits = new Counter({
    name: 'tollgate_tracking_waits_total',
    help: 'Waits for counters that were not tracked yet, by how they ended',
    labelNames: ['result'],
    registers: [registry],
  })
  const folds = new Counter({
    name: 'tollgate_allowance_folds_total',
    help: 'Times that the oldest segments of a balance were too many and were folded into an opening',
    registers: [registry],
  })
  const counted = createCounterPeriods()
  const shareWait = createSharedWork<string, void>()
  const folding = new Set<string>()

  /** Undefined while one of the counters is not the one that the entitlement needs. */
  function tryRead(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): MaybePromise<Read[] | undefined> {
    const nowMs = clock.now()
    const wanted = entitlements.map((entitlement) => ({ entitlement, periods: counted.at(entitlement, nowMs) }))
    const readings = counters.read(
      ref,
      wanted.flatMap(({ entitlement, periods }) =>
        periods.map(({ startMs }) => ({ feature: entitlement.feature, periodStartMs: startMs })),
      ),
      nowMs,
    )
    return whenKnown(readings, (known) => completed(ref, wanted, known, nowMs))
  }

  function completed(
    ref: CustomerRef,
    wanted: readonly Wanted[],
    readings: readonly (CounterReading | undefined)[],
    nowMs: InstantMs,
  ): Read[] | undefined {
    const found: Read[] = []
    let next = 0
    for (const { entitlement, periods } of wanted) {
      const ofEntitlement = readings.slice(next, next + periods.length).filter((reading) => reading !== undefined)
      next += periods.length
      if (ofEntitlement.length < periods.length || !isComplete(ofEntitlement, entitlement.tracked.definition, periods)) return undefined
      const { spent, folded } = countedIn(entitlement, periods, ofEntitlement, nowMs)
      if (folded !== null) saveOpening(ref, entitlement, folded)
      found.push({ entitlement, spent, periods, usedUnits: ofEntitlement.map(({ usedUnits }) => usedUnits), nowMs })
    }
    return found
  }

  /** Runs in the background: until the opening is saved, all segments are added up each time. */
  function saveOpening({ tenant, customer }: CustomerRef, { feature, tracked }: MeteredEntitlement, ledger: LedgerSnapshot): void {
    const name = JSON.stringify([tenant, customer, feature])
    if (folding.has(name)) return
    folding.add(name)
    const basis = countingBasis(tracked.meter, tracked.filter, tracked.schedule)
    folds.inc()
    allowanceOpenings
      .save(tenant, customer, { feature, basis, ledger })
      .catch((error: unknown) => log.warn({ err: error }, 'segments of a balance were not folded up'))
      .finally(() => folding.delete(name))
  }

  async function waitUntilTracked(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<void> {
    // Waited time is added up, not read from the clock, so that the bound holds whatever the clock does.
    let askAgainAtMs = 0
    for (let waitedMs = 0; waitedMs < trackingWaitMaxMs; waitedMs += POLL_INTERVAL_MS) {
      if (waitedMs >= askAgainAtMs) {
        await counters.requestTracking(ref)
        askAgainAtMs = waitedMs + REQUEST_AGAIN_MS
      }
      await clock.sleep(POLL_INTERVAL_MS)
      if ((await tryRead(ref, entitlements)) !== undefined) {
        waits.inc({ result: 'tracked' })
        return
      }
    }
    waits.inc({ result: 'timed_out' })
    cache.doubt(ref.tenant, ref.customer)
  }

  /** Requests for the same counters share one wait. */
  function sharedWait(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<void> {
    const wanted = JSON.stringify([ref.tenant, ref.customer, ...entitlements.map(({ feature, tracked }) => [feature, tracked.definition])])
    return shareWait(wanted, () => waitUntilTracked(ref, entitlements))
  }

  function read(tenant: TenantKey, customer: CustomerKey, entitlements: readonly MeteredEntitlement[]): MaybePromise<readonly Read[]> {
    if (entitlements.length === 0) return []
    const ref = { tenant, customer, partition: partitionOf(tenant, customer, partitions) }
    const catchingUp = entitlements.some(isHard) ? catchUp.wait(ref.partition) : null
    const found = catchingUp === null ? tryRead(ref, entitlements) : catchingUp.then(() => tryRead(ref, entitlements))
    return whenKnown(found, (known) => known ?? readOnceTracked(ref, entitlements))
  }

  async function readOnceTracked(ref: CustomerRef, entitlements: readonly MeteredEntitlement[]): Promise<readonly Read[]> {
    await sharedWait(ref, entitlements)
    const found = await tryRead(ref, entitlements)
    if (found === undefined) throw unavailable(trackingWaitMaxMs)
    return found
  }

  return {
    spent: read,
    async spentNow(tenant, customer, entitlement) {
      const ref = { tenant, customer, partition: partitionOf(tenant, customer, partitions) }
      const catchingUp = isHard(entitlement) ? catchUp.wait(ref.partition) : null
      if (catchingUp !== null) {
        // How the wait ends is for those who wait.
        catchingUp.catch(() => undefined)
        return null
      }
      try {
        return (await tryRead(ref, [entitlement]))?.[0] ?? null
      } catch (error) {
        if (error instanceof Fault) return null
        throw error
      }
    },
    periodAt: counted.balancePeriodAt,
    async cap(tenant, customer, entitlement) {
      if (entitlement.account === null) {
        const periods = counted.at(entitlement, clock.now())
        const spentOf = (spent: HeldUnits) => ({ entitlement, spent: countedIn(entitlement, periods, [spent], clock.now()).spent })
        return { cap: capOn(entitlement, periods, [], null), untilMs: endOf(periods), spentOf }
      }
      const [found] = await read(tenant, customer, [entitlement])
      invariant(found !== undefined, 'a reading holds every entitlement asked for')
      const { periods, usedUnits, nowMs } = found
      const earlier = usedUnits.slice(0, -1)
      const spentOf = (spent: HeldUnits) => {
        const readings = [...earlier, spent.usedUnits].map((used) => ({ usedUnits: used, heldUnits: spent.heldUnits }))
        return { entitlement, spent: countedIn(entitlement, periods, readings, nowMs).spent }
      }
      return { cap: capOn(entitlement, periods, earlier, found.spent), untilMs: endOf(periods), spentOf }
    },
    async trackCustomer(tenant, customer) {
      try {
        const { entitlements } = await cache.entitlementsOf(tenant, customer)
        await read(
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

type Wanted = { readonly entitlement: MeteredEntitlement; readonly periods: readonly Period[] }
type HeldUnits = Pick<CounterReading, 'usedUnits' | 'heldUnits'>

/** `usedUnits` is per period. */
type Read = MeteredSpent & { readonly periods: readonly Period[]; readonly usedUnits: readonly bigint[]; readonly nowMs: InstantMs }

function isComplete(readings: readonly CounterReading[], definition: string, [first]: readonly Period[]): boolean {
  const [reading] = readings
  return reading !== undefined && first !== undefined && reading.definition === definition && reading.trackedFromMs <= first.startMs
}

const isHard = ({ limit, limitType }: MeteredEntitlement): boolean => limit !== null && limitType === 'hard'

function endOf(periods: readonly Period[]): InstantMs {
  return periods.at(-1)?.endMs ?? END_OF_TIME_MS
}

function unavailable(waitedMs: number): Fault {
  return new Fault('balance_unavailable', `a customer's counters were not tracked within ${waitedMs} ms`, {
    canRetry: true,
    publicText: 'The balance is still being counted; try again.',
  })
}
