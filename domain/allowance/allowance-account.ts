import { invariant } from '../../base/invariant.ts'
import type { InstantMs, Period } from '../identity.ts'
import { periodAt } from '../time/calendar.ts'
import type { ResetSchedule } from '../time/reset-schedule.ts'
import type { LedgerSnapshot } from './allowance-ledger.ts'
import {
  type AllowanceHistory,
  type AllowanceSegment,
  type CutFrom,
  cutSegments,
  type SegmentBounds,
  type SegmentCut,
  segmentAt,
} from './allowance-segment.ts'
import { type BurnDown, burnDown, openingAfter } from './burn-down.ts'
import { type Grant, grantEndMs } from './grant.ts'
import type { PlanAllowance } from './plan-allowance.ts'

/**
 * A metered feature of one customer where the limit alone does not say what is left: it has grants, rolls over, or was reset by
 * hand. Only a grant outlives a change of schedule, so there are eras before the last only where a grant did.
 */
export type AllowanceAccount = {
  /** Oldest first; the last one is under way. */
  readonly eras: readonly AllowanceEra[]
  /** Usage is asked for from here on, between `boundariesMs` and the schedules' resets. */
  readonly keptFromMs: InstantMs
  readonly boundariesMs: readonly InstantMs[]
}

/** A stretch of time under one schedule. */
export type AllowanceEra = {
  readonly history: AllowanceHistory
  /** The start of one of the schedule's periods. */
  readonly fromMs: InstantMs
  /** The ledger where its earlier segments were folded up; null when none were. */
  readonly opening: LedgerSnapshot | null
}

/** Terms in force from an instant on; null terms: nothing in force. */
export type TermsChange = {
  readonly fromMs: InstantMs
  readonly terms: (Omit<PlanAllowance, 'fromMs'> & { schedule: ResetSchedule }) | null
}

export type AccountInputs = {
  /** In order of time; the last one has terms. */
  readonly changes: readonly TermsChange[]
  readonly grants: readonly Grant[]
  readonly manualResetsMs: readonly InstantMs[]
  readonly openingOf: (schedule: ResetSchedule) => LedgerSnapshot | null
}

/** Null when the limit and the usage of the current period say everything, as for most features. */
export function openAccount(inputs: AccountInputs, nowMs: InstantMs): AllowanceAccount | null {
  const eras = erasOf(inputs)
  const boundariesMs = new Set<InstantMs>()
  let first = eras.length - 1
  let cut = cutEra(eras, first, nowMs)
  for (const boundaryMs of cut.boundariesMs) boundariesMs.add(boundaryMs)
  const hasGrants = inputs.grants.some((grant) => grantEndMs(grant) > Math.max(grant.effectiveAtMs, firstOf(cut).startMs))
  const isCut = cut.boundariesMs.length > 0 || cut.segments.length > 1
  const goesOn = eraAt(eras, first).opening?.atMs === firstOf(cut).startMs
  if (!hasGrants && !isCut && !goesOn && inputs.changes.at(-1)?.terms?.rollover === null) return null
  while (first > 0 && reachesBack(eras, first, cut)) {
    const endMs = eraAt(eras, first).fromMs
    boundariesMs.add(endMs)
    first--
    cut = cutEra(eras, first, (endMs - 1) as InstantMs)
    for (const startMs of startsOf(eraAt(eras, first), cut, endMs)) boundariesMs.add(startMs)
  }
  const { opening, fromMs, history } = eraAt(eras, first)
  // Nothing is left of what came before the first era.
  const begun = { history, fromMs, opening: opening ?? (first === 0 ? null : grantsAlone(fromMs, [])) }
  return {
    eras: [begun, ...eras.slice(first + 1)],
    keptFromMs: firstOf(cut).startMs,
    boundariesMs: [...boundariesMs].sort((a, b) => a - b),
  }
}

/** What is left at an instant, and, if there were too many segments, the ledger to go on from next time. */
export type Standing = { readonly burnDown: BurnDown; readonly folded: LedgerSnapshot | null }

/** Net usage by event time between two instants, each a boundary or a reset. */
export type UsedBetween = (startMs: InstantMs, endMs: InstantMs) => bigint

export function standingAt(account: AllowanceAccount, nowMs: InstantMs, usedBetween: UsedBetween, bounds?: SegmentBounds): Standing {
  let opening: LedgerSnapshot | null = null
  let hasFolded = false
  const fold = (history: AllowanceHistory, atMs: InstantMs): readonly AllowanceSegment[] => {
    let cut = cutSegments(history, opening, atMs, bounds)
    for (; cut.mustFold; cut = cutSegments(history, opening, atMs, bounds)) {
      opening = openingAfter(history, opening, cut.segments, atMs, usedIn)
      hasFolded = true
    }
    return cut.segments
  }
  const usedIn = ({ startMs, endMs }: AllowanceSegment) => usedBetween(startMs, endMs)
  for (const [index, { history, opening: folded }] of account.eras.entries()) {
    const next = account.eras[index + 1]
    if (folded !== null) opening = folded
    if (next === undefined) {
      const segments = fold(history, nowMs)
      return { burnDown: burnDown(history, opening, segments, nowMs, usedIn), folded: hasFolded ? opening : null }
    }
    const lastMs = (next.fromMs - 1) as InstantMs
    const segments = fold(history, lastMs).map((segment) => (segment.endMs > next.fromMs ? { ...segment, endMs: next.fromMs } : segment))
    opening = grantsAlone(next.fromMs, openingAfter(history, opening, segments, lastMs, usedIn).grants)
  }
  invariant(false, 'an account has an era under way')
}

/** Adds up the usage counted per period; `periods` are in order and adjoining. */
export function usedInPeriods(periods: readonly Period[], usedUnits: readonly bigint[]): UsedBetween {
  const sums = [0n]
  for (const [index, used] of usedUnits.entries()) sums.push((sums[index] ?? 0n) + used)
  const placeOf = new Map(periods.map(({ startMs }, index) => [startMs, index]))
  return (startMs, endMs) => {
    const from = placeOf.get(startMs)
    invariant(from !== undefined, 'a segment begins with a period that is counted')
    const to = placeOf.get(endMs) ?? periods.length
    return (sums[to] ?? 0n) - (sums[from] ?? 0n)
  }
}

/** A new schedule takes over from the start of its own period that holds the change, so that usage in it is judged whole. */
function erasOf({ changes, grants, manualResetsMs, openingOf }: AccountInputs): readonly AllowanceEra[] {
  const allowances = changes.map(({ fromMs, terms }): PlanAllowance => {
    return terms === null ? { fromMs, limit: 0n, rollover: null } : { fromMs, limit: terms.limit, rollover: terms.rollover }
  })
  const eras: AllowanceEra[] = []
  for (const { fromMs: atMs, terms } of changes) {
    if (terms === null || isSameSchedule(eras.at(-1)?.history.schedule, terms.schedule)) continue
    const fromMs = periodAt(terms.schedule, atMs).startMs
    while ((eras.at(-1)?.fromMs ?? Number.NEGATIVE_INFINITY) >= fromMs) eras.pop()
    // The schedule came back within its own period: as if it had never changed.
    if (isSameSchedule(eras.at(-1)?.history.schedule, terms.schedule)) continue
    const history = { schedule: terms.schedule, allowances, grants, manualResetsMs }
    const opening = openingOf(terms.schedule)
    eras.push({ history, fromMs, opening: opening !== null && opening.atMs >= fromMs ? opening : null })
  }
  return eras
}

function isSameSchedule(a: ResetSchedule | undefined, b: ResetSchedule): boolean {
  if (a === undefined) return false
  const isSameGrid = a.interval === b.interval && a.anchor === b.anchor && a.anchorMs === b.anchorMs
  return isSameGrid && a.fromMs === b.fromMs && a.timezone === b.timezone
}

function cutEra(eras: readonly AllowanceEra[], index: number, atMs: InstantMs): SegmentCut {
  const { history } = eraAt(eras, index)
  return cutSegments(history, openedFrom(eras, index), atMs)
}

/** How much usage left of grants at the start of an era is not known here, so each grant that existed may be left. */
function openedFrom(eras: readonly AllowanceEra[], index: number): CutFrom | null {
  const { history, fromMs, opening } = eraAt(eras, index)
  if (opening !== null || index === 0) return opening
  return { atMs: fromMs, grants: history.grants.filter((grant) => grant.effectiveAtMs < fromMs && grantEndMs(grant) > fromMs) }
}

/** Whether anything from before the era may still be left. */
function reachesBack(eras: readonly AllowanceEra[], index: number, cut: SegmentCut): boolean {
  const { fromMs, opening } = eraAt(eras, index)
  if (opening !== null || firstOf(cut).startMs > fromMs) return false
  return (openedFrom(eras, index)?.grants.length ?? 0) > 0
}

function startsOf({ history }: AllowanceEra, cut: SegmentCut, endMs: InstantMs): readonly InstantMs[] {
  const starts: InstantMs[] = []
  for (let atMs = firstOf(cut).startMs; atMs < endMs; atMs = segmentAt(history.schedule, cut.boundariesMs, atMs).endMs) starts.push(atMs)
  return starts
}

/** What carries over into another schedule: the grants. */
function grantsAlone(atMs: InstantMs, grants: LedgerSnapshot['grants']): LedgerSnapshot {
  return {
    atMs,
    lastResetMs: atMs,
    periodEndMs: atMs,
    planBurned: 0n,
    rollover: null,
    grants: grants.filter(({ left }) => left > 0n).map((grant) => ({ ...grant, burned: 0n })),
    corrected: 0n,
    overage: 0n,
  }
}

function eraAt(eras: readonly AllowanceEra[], index: number): AllowanceEra {
  const era = eras[index]
  invariant(era !== undefined, 'terms in force make an era')
  return era
}

function firstOf({ segments }: SegmentCut): AllowanceSegment {
  const [first] = segments
  invariant(first !== undefined, 'time is cut into at least one segment')
  return first
}
