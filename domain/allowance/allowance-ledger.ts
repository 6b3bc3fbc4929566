import { invariant } from '../../base/invariant.ts'
import type { GrantId, InstantMs } from '../identity.ts'
import type { AllowanceSegment } from './allowance-segment.ts'
import { type AllowanceSource, compareBurnOrder, type Grant, grantEndMs } from './grant.ts'
import { type PlanAllowance, rolledUnits } from './plan-allowance.ts'

/**
 * What is left of each source as time goes on, segment by segment. It lives within one computation, so nobody else sees it
 * change. All in nano units.
 *
 * The sources stand in a row in burn order, corrections before the first and overage after the last. Usage moves forward along
 * the row and negative usage back along it: a correction gives back what the period burned last.
 */
export class AllowanceLedger {
  private pots: Pot[] = []
  private plan: Pot | null = null
  private allowance: PlanAllowance | null = null
  private corrected = 0n
  private overage = 0n
  private lastResetMs: InstantMs | null = null
  private startMs: InstantMs | null = null
  private periodEndMs: InstantMs | null = null
  /** Grants that are not yet effective; the next one stands last. */
  private readonly waiting: Grant[]

  constructor(grants: readonly Grant[], from: { readonly snapshot: LedgerSnapshot; readonly allowance: PlanAllowance } | null) {
    const isNew = (grant: Grant) => from === null || grant.effectiveAtMs >= from.snapshot.atMs
    this.waiting = grants.filter(isNew).sort((a, b) => b.effectiveAtMs - a.effectiveAtMs)
    if (from !== null) this.restore(grants, from.snapshot, from.allowance)
  }

  /**
   * Begins a segment: refills at a reset, adds grants that begin and drops those that end. `allowance` is the one of the
   * segment's schedule period.
   */
  enter(segment: AllowanceSegment, allowance: PlanAllowance): void {
    this.startMs = segment.startMs
    this.periodEndMs = segment.schedulePeriod.endMs
    if (segment.opens !== null) this.reset(segment, allowance)
    for (let next = this.waiting.at(-1); next !== undefined && next.effectiveAtMs <= segment.startMs; next = this.waiting.at(-1)) {
      this.waiting.pop()
      this.pots.push({ source: { kind: 'grant', grant: next }, left: next.amount, burned: 0n })
    }
    this.pots = this.pots.filter((pot) => pot.burned > 0n || pot === this.plan || this.isOpen(pot))
    this.pots.sort((a, b) => compareBurnOrder(a.source, b.source))
  }

  /** Burns the net usage of the segment entered. */
  spend(usedUnits: bigint): void {
    invariant(this.plan !== null, 'a segment is entered before usage burns in it')
    // An unlimited plan covers everything; grants are for plans with a limit.
    if (this.plan.left === null) this.plan.burned += usedUnits
    else if (usedUnits > 0n) this.burn(usedUnits)
    else this.giveBack(-usedUnits)
  }

  /** Nano units that could still be used now; null when unlimited. */
  remaining(): bigint | null {
    let remaining = this.corrected
    for (const pot of this.pots) {
      if (pot.left === null) return null
      if (this.isOpen(pot)) remaining += pot.left
    }
    return remaining
  }

  /** Net usage since the last reset, and the part of it that nothing covered. */
  spent(): { readonly sinceMs: InstantMs; readonly usedUnits: bigint; readonly overage: bigint } {
    invariant(this.lastResetMs !== null, 'time begins with a reset')
    const usedUnits = this.pots.reduce((sum, { burned }) => sum + burned, this.overage - this.corrected)
    return { sinceMs: this.lastResetMs, usedUnits, overage: this.overage }
  }

  /** Sources that can burn now, in burn order; a used-up grant only if some of it burned since the last reset. */
  sources(): SourceLeft[] {
    invariant(this.periodEndMs !== null, 'a segment is entered before anything is asked')
    const isShown = (pot: Pot) => this.isOpen(pot) && (pot === this.plan || pot.left !== 0n || pot.burned !== 0n)
    const open: SourceLeft[] = this.pots.filter(isShown).map(({ source, left }) => ({ source, left }))
    if (this.corrected === 0n) return open
    return [{ source: { kind: 'correction', expiresAtMs: this.periodEndMs }, left: this.corrected }, ...open]
  }

  /** The ledger as of the end of the segment entered. */
  snapshot(atMs: InstantMs): LedgerSnapshot {
    const { lastResetMs, plan, periodEndMs } = this
    invariant(lastResetMs !== null && plan !== null && periodEndMs !== null, 'time begins with a reset')
    const rollover = this.pots.find(({ source }) => source.kind === 'rollover')
    return {
      atMs,
      lastResetMs,
      periodEndMs,
      planBurned: plan.burned,
      rollover:
        rollover?.source.kind === 'rollover'
          ? { amount: rollover.source.amount, left: rollover.left ?? 0n, burned: rollover.burned }
          : null,
      grants: this.pots.flatMap(({ source, left, burned }) =>
        source.kind === 'grant' && (left !== 0n || burned !== 0n) ? [{ id: source.grant.id, left: left ?? 0n, burned }] : [],
      ),
      corrected: this.corrected,
      overage: this.overage,
    }
  }

  /** A manual reset refills and forgives; only a scheduled one rolls units over, and ends those that rolled over before. */
  private reset(segment: AllowanceSegment, allowance: PlanAllowance): void {
    const expiresAtMs = segment.schedulePeriod.endMs
    const unused = this.plan?.left ?? 0n
    const rollover = this.allowance?.rollover ?? null
    this.pots = this.pots.filter(
      ({ source }) => source.kind === 'grant' || (source.kind === 'rollover' && segment.opens === 'manual_reset'),
    )
    for (const pot of this.pots) pot.burned = 0n
    if (segment.opens === 'scheduled_reset' && rollover !== null) {
      const amount = rolledUnits(unused, rollover)
      if (amount > 0n) this.pots.push({ source: { kind: 'rollover', amount, expiresAtMs }, left: amount, burned: 0n })
    }
    this.plan = { source: { kind: 'plan', amount: allowance.limit, expiresAtMs }, left: allowance.limit, burned: 0n }
    this.pots.push(this.plan)
    this.allowance = allowance
    this.corrected = 0n
    this.overage = 0n
    this.lastResetMs = segment.startMs
  }

  private burn(usedUnits: bigint): void {
    let rest = usedUnits
    const corrected = smaller(this.corrected, rest)
    this.corrected -= corrected
    rest -= corrected
    for (const pot of this.pots) {
      if (rest === 0n || pot.left === null) break
      if (!this.isOpen(pot)) continue
      const units = smaller(pot.left, rest)
      pot.left -= units
      pot.burned += units
      rest -= units
    }
    this.overage += rest
  }

  /** Units that go back to a grant that has ended are gone with it. */
  private giveBack(units: bigint): void {
    let rest = units
    const overage = smaller(this.overage, rest)
    this.overage -= overage
    rest -= overage
    for (const pot of this.pots.toReversed()) {
      if (rest === 0n) break
      const given = smaller(pot.burned, rest)
      pot.burned -= given
      if (pot.left !== null) pot.left += given
      rest -= given
    }
    this.corrected += rest
  }

  private isOpen({ source }: Pot): boolean {
    return source.kind !== 'grant' || (this.startMs !== null && grantEndMs(source.grant) > this.startMs)
  }

  /** The allowance may have changed within the period that goes on: its usage is judged by the new limit. */
  private restore(grants: readonly Grant[], snapshot: LedgerSnapshot, allowance: PlanAllowance): void {
    const { rollover, periodEndMs: expiresAtMs } = snapshot
    this.allowance = allowance
    this.lastResetMs = snapshot.lastResetMs
    const byId = new Map(grants.map((grant) => [grant.id, grant]))
    for (const { id, left, burned } of snapshot.grants) {
      const grant = byId.get(id)
      invariant(grant !== undefined, `the history holds grant ${id} of its opening`)
      this.pots.push({ source: { kind: 'grant', grant }, left, burned })
    }
    if (rollover !== null) {
      const { amount, left, burned } = rollover
      this.pots.push({ source: { kind: 'rollover', amount, expiresAtMs }, left, burned })
    }
    const ofPlan = snapshot.planBurned + snapshot.overage - snapshot.corrected
    const { limit } = allowance
    const burned = limit === null ? ofPlan : smaller(limit, ofPlan > 0n ? ofPlan : 0n)
    this.plan = { source: { kind: 'plan', amount: limit, expiresAtMs }, left: limit === null ? null : limit - burned, burned }
    this.pots.push(this.plan)
    if (ofPlan > burned) this.overage = ofPlan - burned
    else this.corrected = burned - ofPlan
  }
}

export type SourceLeft = { readonly source: AllowanceSource; readonly left: bigint | null }

/** All that a ledger knows at the end of a segment, as plain values. `burned` is since the last reset. Nano units. */
export type LedgerSnapshot = {
  readonly atMs: InstantMs
  readonly lastResetMs: InstantMs
  /** End of the schedule's period that the end of the segment belongs to: `atMs` at the earliest. */
  readonly periodEndMs: InstantMs
  readonly planBurned: bigint
  readonly rollover: { readonly amount: bigint; readonly left: bigint; readonly burned: bigint } | null
  /** Grants with something left, or burned since the last reset. */
  readonly grants: readonly { readonly id: GrantId; readonly left: bigint; readonly burned: bigint }[]
  readonly corrected: bigint
  readonly overage: bigint
}

/** `left` is null only for an unlimited plan. */
type Pot = { readonly source: AllowanceSource; left: bigint | null; burned: bigint }

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
