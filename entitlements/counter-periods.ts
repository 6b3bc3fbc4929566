import type { Cap, CounterReading } from '../adapters/counters/counters.ts'
import { invariant } from '../base/invariant.ts'
import { type AllowanceAccount, standingAt, usedInPeriods } from '../domain/allowance/allowance-account.ts'
import type { LedgerSnapshot } from '../domain/allowance/allowance-ledger.ts'
import type { MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import { keptPeriods, type TrackedFeature } from '../domain/entitlements/tracked-feature.ts'
import type { InstantMs, Period } from '../domain/identity.ts'
import { createPeriodCursor, type PeriodCursor } from '../domain/time/calendar.ts'
import type { PeriodSpent } from './metered-spent.ts'

/** The counters that make up the balance of an entitlement: for most, the one of the current period. */
export type CounterPeriods = {
  /** In order, adjoining; the last one holds the instant. */
  at(entitlement: MeteredEntitlement, nowMs: InstantMs): readonly Period[]
  /** From the last reset, manual ones too, to the next one. */
  balancePeriodAt(entitlement: MeteredEntitlement, atMs: InstantMs): Period
}

export function createCounterPeriods(): CounterPeriods {
  // Periods are compared, not computed again, while one lasts. Lives as long as the cached entitlement.
  const cursors = new WeakMap<TrackedFeature, PeriodCursor>()
  const current = new WeakMap<TrackedFeature, readonly [Period]>()
  const kept = new WeakMap<TrackedFeature, readonly Period[]>()

  function schedulePeriodAt(tracked: TrackedFeature, atMs: InstantMs): Period {
    const known = cursors.get(tracked)
    if (known !== undefined) return known.at(atMs)
    const cursor = createPeriodCursor(tracked.schedule)
    cursors.set(tracked, cursor)
    return cursor.at(atMs)
  }

  return {
    at({ tracked }, nowMs) {
      if (tracked.keptFromMs === null) {
        const period = schedulePeriodAt(tracked, nowMs)
        const known = current.get(tracked)
        if (known !== undefined && known[0] === period) return known
        const periods = [period] as const
        current.set(tracked, periods)
        return periods
      }
      const known = kept.get(tracked)
      if (known !== undefined && nowMs < lastOf(known).endMs && nowMs >= lastOf(known).startMs) return known
      const periods = keptPeriods(tracked, nowMs)
      kept.set(tracked, periods)
      return periods
    },
    balancePeriodAt({ tracked, account }, atMs) {
      const period = schedulePeriodAt(tracked, atMs)
      return account === null ? period : betweenManualResets(account, period, atMs)
    },
  }
}

/** The result of reading the counters of an entitlement's periods. */
export type Counted = {
  readonly spent: PeriodSpent
  /** The ledger to go on from next time, when too many segments were added up. */
  readonly folded: LedgerSnapshot | null
}

export function countedIn(
  { account }: MeteredEntitlement,
  periods: readonly Period[],
  readings: readonly Pick<CounterReading, 'usedUnits' | 'heldUnits'>[],
  nowMs: InstantMs,
): Counted {
  const [first] = readings
  invariant(first !== undefined, 'at least one period is counted')
  if (account === null) return { spent: { usedUnits: first.usedUnits, heldUnits: first.heldUnits, period: lastOf(periods) }, folded: null }
  const usedUnits = readings.map((reading) => reading.usedUnits)
  const { burnDown, folded } = standingAt(account, nowMs, usedInPeriods(periods, usedUnits))
  // Units that settle into any of these periods are about to change what is left.
  const { heldUnits } = first
  return { spent: { usedUnits: burnDown.usedUnits, heldUnits, period: burnDown.period, burnDown }, folded }
}

/** How far usage in the last of the periods may go, given the usage of those before it. */
export function capOn(
  { tracked, limit, limitType }: MeteredEntitlement,
  periods: readonly Period[],
  earlierUnits: readonly bigint[],
  spent: PeriodSpent | null,
): Cap {
  const { startMs: periodStartMs } = lastOf(periods)
  const { definition } = tracked
  if (limitType !== 'hard') return { definition, periodStartMs, hardLimit: null }
  if (spent?.burnDown === undefined) return { definition, periodStartMs, hardLimit: limit }
  const earlier = periods.slice(0, -1).map(({ startMs }, index) => ({ periodStartMs: startMs, usedUnits: earlierUnits[index] ?? 0n }))
  const cap = { definition, periodStartMs, hardLimit: spent.burnDown.segment.limitUnits }
  return earlier.length === 0 ? cap : { ...cap, earlier }
}

function betweenManualResets(account: AllowanceAccount, { startMs, endMs }: Period, atMs: InstantMs): Period {
  const resetsMs = account.eras.at(-1)?.history.manualResetsMs ?? []
  const before = resetsMs.filter((resetMs) => resetMs <= atMs && resetMs > startMs)
  const after = resetsMs.filter((resetMs) => resetMs > atMs && resetMs < endMs)
  return { startMs: Math.max(startMs, ...before) as InstantMs, endMs: Math.min(endMs, ...after) as InstantMs }
}

function lastOf(periods: readonly Period[]): Period {
  const last = periods.at(-1)
  invariant(last !== undefined, 'at least one period is counted')
  return last
}
