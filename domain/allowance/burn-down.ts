import { invariant } from '../../base/invariant.ts'
import type { InstantMs, Period } from '../identity.ts'
import { periodAt } from '../time/calendar.ts'
import { AllowanceLedger, type LedgerSnapshot, type SourceLeft } from './allowance-ledger.ts'
import { type AllowanceHistory, type AllowanceSegment, grantsSince } from './allowance-segment.ts'
import { allowanceIn, NO_ALLOWANCE } from './plan-allowance.ts'

/** What one customer has left of one metered feature at one instant. Nano units. */
export type BurnDown = {
  /** From the last reset (scheduled or manual) to the next one of the schedule. */
  readonly period: Period
  /** Net usage in `period`. */
  readonly usedUnits: bigint
  /** The part of the usage that nothing covered. */
  readonly overage: bigint
  /** Nano units that could still be used; null when unlimited. */
  readonly remaining: bigint | null
  /** In burn order; without sources that begin later or have ended. */
  readonly sources: readonly SourceLeft[]
  /**
   * The current segment: until its end the answer changes by usage alone. Usage in it may reach `limitUnits` before anything is
   * overage; null when unlimited.
   */
  readonly segment: Period & { readonly usedUnits: bigint; readonly limitUnits: bigint | null }
}

/** Net usage by event time within one segment. */
export type UsedIn = (segment: AllowanceSegment) => bigint

/** The state at `nowMs`, from the segments that `cutSegments(history, opening, nowMs)` gave. The rules are explained in docs/limits.md. */
export function burnDown(
  history: AllowanceHistory,
  opening: LedgerSnapshot | null,
  segments: readonly AllowanceSegment[],
  nowMs: InstantMs,
  usedIn: UsedIn,
): BurnDown {
  const current = segments.at(-1)
  invariant(current !== undefined && current.startMs <= nowMs && nowMs < current.endMs, 'the last segment holds the instant asked for')
  const ledger = openLedger(history, opening, segments, nowMs)
  for (const segment of segments.slice(0, -1)) pass(ledger, history, segment, nowMs, usedIn)
  ledger.enter(current, allowanceIn(history.allowances, current.schedulePeriod, nowMs))
  const coverable = ledger.remaining()
  const usedInSegment = usedIn(current)
  ledger.spend(usedInSegment)
  const remaining = ledger.remaining()
  const { sinceMs, usedUnits, overage } = ledger.spent()
  return {
    period: { startMs: sinceMs, endMs: current.schedulePeriod.endMs },
    usedUnits,
    overage,
    remaining,
    sources: ledger.sources(),
    segment: {
      startMs: current.startMs,
      endMs: current.endMs,
      usedUnits: usedInSegment,
      limitUnits: coverable === null || remaining === null ? null : lesser(coverable, usedInSegment + remaining),
    },
  }
}

/**
 * Folds the segments that `cutSegments` answered with `mustFold` into the opening that the next ones go on from. Usage that
 * arrives later for a time before the opening changes windows and invoices, but no longer what is left.
 */
export function openingAfter(
  history: AllowanceHistory,
  opening: LedgerSnapshot | null,
  segments: readonly AllowanceSegment[],
  nowMs: InstantMs,
  usedIn: UsedIn,
): LedgerSnapshot {
  const last = segments.at(-1)
  invariant(last !== undefined, 'at least one segment is folded up')
  const ledger = openLedger(history, opening, segments, nowMs)
  for (const segment of segments) pass(ledger, history, segment, nowMs, usedIn)
  return ledger.snapshot(last.endMs)
}

function openLedger(history: AllowanceHistory, opening: LedgerSnapshot | null, segments: readonly AllowanceSegment[], nowMs: InstantMs) {
  const grants = grantsSince(history, opening)
  // Segments that begin after the opening depend on nothing before them, and so not on the opening.
  if (opening === null || segments[0]?.startMs !== opening.atMs) return new AllowanceLedger(grants, null)
  // The opening ends with a reset: what came before was under another schedule, and nothing of that plan rolls over into this one.
  if (opening.lastResetMs === opening.atMs) return new AllowanceLedger(grants, { snapshot: opening, allowance: NO_ALLOWANCE })
  const periodBefore = periodAt(history.schedule, (opening.atMs - 1) as InstantMs)
  return new AllowanceLedger(grants, { snapshot: opening, allowance: allowanceIn(history.allowances, periodBefore, nowMs) })
}

function pass(
  ledger: AllowanceLedger,
  { allowances }: AllowanceHistory,
  segment: AllowanceSegment,
  nowMs: InstantMs,
  usedIn: UsedIn,
): void {
  ledger.enter(segment, allowanceIn(allowances, segment.schedulePeriod, nowMs))
  ledger.spend(usedIn(segment))
}

function lesser(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
