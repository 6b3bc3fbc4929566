import type { AllowanceHistory } from '../../../domain/allowance/allowance-segment.ts'
import type { Grant } from '../../../domain/allowance/grant.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import { periodAt } from '../../../domain/time/calendar.ts'

export type ModelEvent = { readonly atMs: number; readonly units: number }

export type ModelState = {
  used: number
  overage: number
  remaining: number | null
  rollover: number
  plan: number | null
  readonly grants: Map<string, number>
}

/**
 * Acts out the rules of docs/limits.md: from the beginning of the schedule, instant by instant, each unit looking for the source
 * that burns first. It knows no segments. Usage is not negative; a unit is 1 nano.
 */
export function actOut(history: AllowanceHistory, events: readonly ModelEvent[], nowMs: number): ModelState {
  const { schedule, grants, manualResetsMs } = history
  const state: ModelState = { used: 0, overage: 0, remaining: 0, rollover: 0, plan: 0, grants: new Map() }
  for (const grant of grants) state.grants.set(grant.id, Number(grant.amount))

  const moments: { atMs: number; rank: number; act: () => void }[] = []
  for (let atMs = schedule.fromMs as number; atMs <= nowMs; atMs = periodAt(schedule, atMs as InstantMs).endMs) {
    const resetMs = atMs
    moments.push({ atMs, rank: 0, act: () => scheduledReset(history, state, resetMs, nowMs) })
  }
  for (const atMs of manualResetsMs) {
    if (atMs <= schedule.fromMs || periodAt(schedule, atMs).startMs === atMs) continue
    moments.push({ atMs, rank: 0, act: () => manualReset(history, state, atMs, nowMs) })
  }
  for (const { atMs, units } of events) {
    if (atMs < schedule.fromMs) continue
    moments.push({ atMs, rank: 1, act: () => useUnits(history, state, atMs, units) })
  }
  moments.sort((a, b) => a.atMs - b.atMs || a.rank - b.rank)
  for (const { atMs, act } of moments) if (atMs <= nowMs) act()

  for (const grant of grants) if (!isThere(grant, nowMs)) state.grants.delete(grant.id)
  const ofGrants = [...state.grants.values()].reduce((sum, left) => sum + left, 0)
  state.remaining = state.plan === null ? null : state.plan + state.rollover + ofGrants
  return state
}

function scheduledReset(history: AllowanceHistory, state: ModelState, atMs: number, nowMs: number): void {
  const ended = allowanceBetween(history, atMs - 1, nowMs)
  state.rollover = 0
  if (ended?.rollover && state.plan !== null) {
    const [whole = '0', fraction = ''] = ended.rollover.percent.split('.')
    const hundredths = BigInt(whole + fraction)
    const rolled = Number((BigInt(state.plan) * hundredths) / (100n * 10n ** BigInt(fraction.length)))
    state.rollover = ended.rollover.max === null ? rolled : Math.min(rolled, Number(ended.rollover.max))
  }
  manualReset(history, state, atMs, nowMs)
}

function manualReset(history: AllowanceHistory, state: ModelState, atMs: number, nowMs: number): void {
  const allowance = allowanceBetween(history, atMs, nowMs)
  state.plan = allowance === undefined ? 0 : allowance.limit === null ? null : Number(allowance.limit)
  state.used = 0
  state.overage = 0
}

/** The last allowance in force in the schedule's period around the instant. */
function allowanceBetween({ schedule, allowances }: AllowanceHistory, atMs: number, nowMs: number) {
  if (atMs < schedule.fromMs) return undefined
  const lastMs = Math.min(nowMs, periodAt(schedule, atMs as InstantMs).endMs - 1)
  return allowances.filter(({ fromMs }) => fromMs <= lastMs).at(-1)
}

function useUnits({ grants, schedule }: AllowanceHistory, state: ModelState, atMs: number, units: number): void {
  const resetMs = periodAt(schedule, atMs as InstantMs).endMs
  state.used += units
  if (state.plan === null) return
  for (let unit = 0; unit < units; unit++) {
    const candidates = grants.filter((grant) => isThere(grant, atMs) && (state.grants.get(grant.id) ?? 0) > 0)
    const best = candidates.reduce<Grant | null>((first, grant) => (first === null || burnsBefore(grant, first) ? grant : first), null)
    const planIsLeft = state.rollover > 0 || state.plan > 0
    if (best !== null && (!planIsLeft || burnsBeforePlan(best, resetMs))) state.grants.set(best.id, (state.grants.get(best.id) ?? 0) - 1)
    else if (state.rollover > 0) state.rollover -= 1
    else if (state.plan > 0) state.plan -= 1
    else state.overage += 1
  }
}

function burnsBeforePlan(grant: Grant, resetMs: number): boolean {
  if (grant.priority !== 128) return grant.priority < 128
  return (grant.expiresAtMs ?? Number.POSITIVE_INFINITY) < resetMs
}

function burnsBefore(a: Grant, b: Grant): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority
  const [aEnds, bEnds] = [a.expiresAtMs ?? Number.POSITIVE_INFINITY, b.expiresAtMs ?? Number.POSITIVE_INFINITY]
  if (aEnds !== bEnds) return aEnds < bEnds
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs < b.createdAtMs
  return a.id < b.id
}

function isThere(grant: Grant, atMs: number): boolean {
  const hasEnded = [grant.expiresAtMs, grant.voidedAtMs].some((endMs) => endMs !== null && endMs <= atMs)
  return grant.effectiveAtMs <= atMs && !hasEnded
}
