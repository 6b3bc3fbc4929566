import { expect } from 'vitest'
import type { LedgerSnapshot, SourceLeft } from '../../../domain/allowance/allowance-ledger.ts'
import { type AllowanceHistory, cutSegments } from '../../../domain/allowance/allowance-segment.ts'
import { type BurnDown, burnDown } from '../../../domain/allowance/burn-down.ts'
import { GRANT_PRIORITY_DEFAULT } from '../../../domain/allowance/grant.ts'
import type { PlanAllowance } from '../../../domain/allowance/plan-allowance.ts'
import { NANO } from '../../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs } from '../../../domain/identity.ts'
import type { ResetSchedule } from '../../../domain/time/reset-schedule.ts'

/** '2024-02-03' or '2024-02-03 12:00', UTC. */
export const at = (date: string) => {
  const ms = Date.parse(date.length === 10 ? `${date}T00:00Z` : `${date.replace(' ', 'T')}Z`)
  if (Number.isNaN(ms)) throw new Error(`no instant: ${date}`)
  return ms as InstantMs
}
export const units = (nano: bigint | null) => (nano === null ? null : Number(nano) / Number(NANO))

export type GrantSpec = { amount: number; from: string; to?: string; voided?: string; priority?: number; created?: string }
export type Story = {
  limit?: number | null
  rollover?: { percent: string; max?: number }
  /** Later plans: the instant and its limit. */
  changes?: { from: string; limit: number | null; rollover?: { percent: string } }[]
  schedule?: Partial<ResetSchedule>
  grants?: Record<string, GrantSpec>
  resets?: string[]
  /** Instants and units. */
  usage: [string, number][]
}

export const START = '2024-01-01'

export function historyOf({ limit = 0, rollover, changes = [], schedule, grants = {}, resets = [] }: Story): AllowanceHistory {
  const allowance = (from: string, ofLimit: number | null, of?: { percent: string; max?: number }): PlanAllowance => ({
    fromMs: at(from),
    limit: ofLimit === null ? null : BigInt(ofLimit) * NANO,
    rollover: of === undefined ? null : { percent: of.percent, max: of.max === undefined ? null : BigInt(of.max) * NANO },
  })
  return {
    schedule: { interval: 'month', anchor: 'subscription', anchorMs: at(START), fromMs: at(START), timezone: 'UTC', ...schedule },
    allowances: [allowance(START, limit, rollover), ...changes.map((change) => allowance(change.from, change.limit, change.rollover))],
    grants: Object.entries(grants).map(([id, spec]) => ({
      ...NOBODY,
      id: id as GrantId,
      amount: BigInt(spec.amount) * NANO,
      priority: spec.priority ?? GRANT_PRIORITY_DEFAULT,
      effectiveAtMs: at(spec.from),
      expiresAtMs: spec.to === undefined ? null : at(spec.to),
      voidedAtMs: spec.voided === undefined ? null : at(spec.voided),
      createdAtMs: at(spec.created ?? spec.from),
    })),
    manualResetsMs: resets.map(at),
  }
}
export const NOBODY = { customer: 'acme' as CustomerKey, feature: 'tokens' as FeatureKey }

export type Used = readonly { readonly atMs: number; readonly nano: bigint }[]
export const usedIn = (used: Used) => (period: { startMs: number; endMs: number }) =>
  used.reduce((sum, { atMs, nano }) => (period.startMs <= atMs && atMs < period.endMs ? sum + nano : sum), 0n)

export function stateAt(history: AllowanceHistory, used: Used, nowMs: InstantMs, opening: LedgerSnapshot | null = null): BurnDown {
  const cut = cutSegments(history, opening, nowMs)
  expect(cut.mustFold).toBe(false)
  return burnDown(history, opening, cut.segments, nowMs, usedIn(used.filter(({ atMs }) => atMs <= nowMs)))
}

const nameOf = ({ source }: SourceLeft) => (source.kind === 'grant' ? source.grant.id : source.kind)

/** What is left at an instant, as `source units`, in burn order, without what is used up. */
export function tell(story: Story, when: string) {
  const used = story.usage.map(([date, count]) => ({ atMs: at(date), nano: BigInt(count) * NANO }))
  const state = stateAt(historyOf(story), used, at(when))
  const left = state.sources
    .filter((source) => source.left !== 0n)
    .map((source) => `${nameOf(source)} ${units(source.left) ?? 'unlimited'}`)
  return { left, remaining: units(state.remaining), used: units(state.usedUnits), overage: units(state.overage) }
}
