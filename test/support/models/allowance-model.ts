import type { Entitlement } from '../../../domain/catalog/plan.ts'
import { parseQuantity } from '../../../domain/decimal.ts'
import type { EntitlementInputs } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import { periodAt } from '../../../domain/time/calendar.ts'
import type { ResetSchedule } from '../../../domain/time/reset-schedule.ts'

/** Negative units are corrections. */
export type ModelEvent = { readonly atMs: number; readonly units: bigint }

export type ModelBalance = {
  readonly used: bigint
  readonly overage: bigint
  /** Null when unlimited. */
  readonly remaining: bigint | null
  /** What is left of each grant that exists. */
  readonly grants: ReadonlyMap<string, bigint>
  readonly rollover: bigint
}

/**
 * Acts out docs/limits.md for one customer and one metered feature, from the beginning of time, stretch by stretch, each unit
 * looking for its source. Nothing is skipped, cached or folded. Null without an entitlement.
 */
export function actOutAllowances(inputs: EntitlementInputs, events: readonly ModelEvent[], nowMs: number): ModelBalance | null {
  if (termsAt(inputs, nowMs) === null) return null
  const eras = erasOf(inputs, nowMs)
  const resets = eras.flatMap((era) => resetsOf(inputs, era, nowMs))
  for (const { atMs } of inputs.manualResets) {
    const isScheduled = resets.some((reset) => reset.atMs === atMs)
    const era = eras.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs)
    if (atMs <= nowMs && !isScheduled && era !== undefined) resets.push({ ...resetAt(inputs, era, atMs, nowMs), kind: 'manual' })
  }
  const ends = inputs.grants.flatMap((grant) => [grant.effectiveAtMs, grant.expiresAtMs, grant.voidedAtMs])
  const cuts = [...new Set([...resets.map(({ atMs }) => atMs), ...ends])]
    .filter((atMs) => atMs !== null && atMs <= nowMs && atMs >= (resets[0]?.atMs ?? nowMs))
    .sort((a, b) => Number(a) - Number(b)) as number[]

  const state = new State(inputs)
  for (const [index, fromMs] of cuts.entries()) {
    const toMs = cuts[index + 1] ?? nowMs + 1
    const reset = resets.find(({ atMs }) => atMs === fromMs)
    if (reset !== undefined) state.reset(reset)
    const units = events.filter(({ atMs }) => fromMs <= atMs && atMs < toMs).reduce((sum, event) => sum + event.units, 0n)
    for (let unit = 0n; unit < units; unit++) state.use(fromMs)
    for (let unit = 0n; unit < -units; unit++) state.giveBack()
  }
  return state.balance(nowMs)
}

type Terms = { readonly limit: bigint | null; readonly rollover: Entitlement['rollover']; readonly schedule: ResetSchedule }

function termsAt({ subscriptions, planVersions, overrides }: EntitlementInputs, atMs: number): Terms | null {
  const active = subscriptions
    .flatMap((subscription) => subscription.phases.map((phase) => ({ subscription, phase })))
    .filter(({ subscription, phase }) => {
      const hasEnded = [subscription.endMs, phase.endMs].some((endMs) => endMs !== null && endMs <= atMs)
      return phase.startMs <= atMs && !hasEnded
    })
    .sort((a, b) => a.subscription.startMs - b.subscription.startMs || (a.subscription.id < b.subscription.id ? -1 : 1))
    .flatMap(({ subscription, phase }) => {
      const plan = planVersions.find((version) => version.plan === phase.plan && version.version === phase.planVersion)
      return (plan?.entitlements ?? []).map((entitlement) => ({ subscription, entitlement }))
    })
  const [first] = active
  const ofPlan: ResetSchedule | null =
    first === undefined
      ? null
      : {
          interval: first.entitlement.reset as ResetSchedule['interval'],
          anchor: first.entitlement.anchor,
          anchorMs: first.subscription.anchorMs,
          fromMs: first.subscription.startMs,
          timezone: 'UTC',
        }
  const override = overrides.find(({ fromMs, untilMs }) => fromMs <= atMs && (untilMs === null || atMs < untilMs))
  if (override !== undefined) {
    const { beganMs, reset, anchor, limit, rollover } = override
    const base: ResetSchedule = ofPlan ?? {
      interval: 'never',
      anchor: 'subscription',
      anchorMs: beganMs,
      fromMs: beganMs,
      timezone: 'UTC',
    }
    return { limit: nano(limit), rollover, schedule: { ...base, interval: reset ?? base.interval, anchor: anchor ?? base.anchor } }
  }
  if (first === undefined || ofPlan === null) return null
  const limits = active.map(({ entitlement }) => nano(entitlement.limit))
  const limit = limits.some((each) => each === null) ? null : limits.reduce<bigint>((sum, each) => sum + (each ?? 0n), 0n)
  return { limit, rollover: first.entitlement.rollover, schedule: ofPlan }
}

type Era = { readonly schedule: ResetSchedule; readonly fromMs: number; toMs: number }

/** Each schedule is painted over those before it, from the start of its own period in which it came into force. */
function erasOf(inputs: EntitlementInputs, nowMs: number): Era[] {
  let eras: Era[] = []
  for (const atMs of changesUpTo(inputs, nowMs)) {
    const schedule = termsAt(inputs, atMs)?.schedule
    const current = eras.at(-1)
    if (schedule === undefined || (current !== undefined && isSame(current.schedule, schedule))) continue
    const fromMs = periodAt(schedule, atMs as InstantMs).startMs
    eras = eras.filter((era) => era.fromMs < fromMs)
    const before = eras.at(-1)
    if (before === undefined || !isSame(before.schedule, schedule)) {
      if (before !== undefined) before.toMs = fromMs
      eras.push({ schedule, fromMs, toMs: Number.POSITIVE_INFINITY })
    } else before.toMs = Number.POSITIVE_INFINITY
  }
  return eras
}

function changesUpTo({ subscriptions, overrides }: EntitlementInputs, nowMs: number): number[] {
  const all = [
    ...subscriptions.flatMap(({ endMs, phases }) => [endMs, ...phases.flatMap((phase) => [phase.startMs, phase.endMs])]),
    ...overrides.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
  ]
  return [...new Set(all)].filter((atMs) => atMs !== null && atMs <= nowMs).sort((a, b) => Number(a) - Number(b)) as number[]
}

const isSame = (a: ResetSchedule, b: ResetSchedule) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())

type Reset = {
  readonly atMs: number
  readonly kind: 'first' | 'scheduled' | 'manual'
  readonly limit: bigint | null
  /** The rollover of the period that it begins, for the next reset. */
  readonly rollover: Entitlement['rollover']
  readonly periodEndMs: number
}

function resetsOf(inputs: EntitlementInputs, era: Era, nowMs: number): Reset[] {
  const resets: Reset[] = []
  for (let atMs = era.fromMs; atMs <= nowMs && atMs < era.toMs; atMs = periodAt(era.schedule, atMs as InstantMs).endMs) {
    resets.push({ ...resetAt(inputs, era, atMs, nowMs), kind: atMs === era.fromMs ? 'first' : 'scheduled' })
  }
  return resets
}

/** A period is judged as a whole by the last terms that came into force in it by now. */
function resetAt(inputs: EntitlementInputs, { schedule, toMs }: Era, atMs: number, nowMs: number): Omit<Reset, 'kind'> {
  const periodEndMs = periodAt(schedule, atMs as InstantMs).endMs
  const lastMs = changesUpTo(inputs, Math.min(nowMs, periodEndMs - 1, toMs - 1)).at(-1)
  const terms = lastMs === undefined ? null : termsAt(inputs, lastMs)
  return { atMs, limit: terms === null ? 0n : terms.limit, rollover: terms?.rollover ?? null, periodEndMs }
}

type Pot = {
  readonly name: string
  readonly priority: number
  readonly expiresAtMs: number
  readonly age: number
  left: bigint
  burned: bigint
}

class State {
  private readonly grants: (Pot & { readonly fromMs: number; readonly endMs: number })[]
  private rolled: Pot = pot('rollover', -2, 0)
  private plan: Pot = pot('plan', -1, 0)
  private isUnlimited = false
  private rule: Entitlement['rollover'] = null
  private corrected = 0n
  private overage = 0n
  private used = 0n

  constructor({ grants }: EntitlementInputs) {
    this.grants = grants.map(({ id, amount, priority, effectiveAtMs, expiresAtMs, voidedAtMs, createdAtMs }) => ({
      name: id,
      priority,
      expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
      age: createdAtMs,
      left: amount,
      burned: 0n,
      fromMs: effectiveAtMs,
      endMs: Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, voidedAtMs ?? Number.POSITIVE_INFINITY),
    }))
  }

  reset({ kind, limit, rollover, periodEndMs }: Reset): void {
    if (kind === 'first') this.rolled = pot('rollover', -2, periodEndMs)
    if (kind === 'scheduled') {
      const amount = this.rule === null || this.isUnlimited ? 0n : rolledOf(this.plan.left, this.rule)
      this.rolled = { ...pot('rollover', -2, periodEndMs), left: amount }
    }
    this.isUnlimited = limit === null
    this.plan = { ...pot('plan', -1, periodEndMs), left: limit ?? 0n }
    this.rule = rollover
    for (const each of [this.rolled, ...this.grants]) each.burned = 0n
    this.corrected = 0n
    this.overage = 0n
    this.used = 0n
  }

  use(atMs: number): void {
    this.used += 1n
    if (this.isUnlimited) this.plan.burned += 1n
    else if (this.corrected > 0n) this.corrected -= 1n
    else {
      const source = this.inBurnOrder().find((each) => each.left > 0n && this.isThere(each, atMs))
      if (source === undefined) this.overage += 1n
      else {
        source.left -= 1n
        source.burned += 1n
      }
    }
  }

  giveBack(): void {
    this.used -= 1n
    if (this.isUnlimited) this.plan.burned -= 1n
    else if (this.overage > 0n) this.overage -= 1n
    else {
      const source = this.inBurnOrder().findLast((each) => each.burned > 0n)
      if (source === undefined) this.corrected += 1n
      else {
        source.left += 1n
        source.burned -= 1n
      }
    }
  }

  balance(nowMs: number): ModelBalance {
    const there = this.grants.filter((each) => this.isThere(each, nowMs))
    const ofGrants = there.reduce((sum, { left }) => sum + left, 0n)
    return {
      used: this.used,
      overage: this.overage,
      remaining: this.isUnlimited ? null : this.corrected + this.rolled.left + this.plan.left + ofGrants,
      grants: new Map(there.filter(({ left }) => left > 0n).map(({ name, left }) => [name, left])),
      rollover: this.rolled.left,
    }
  }

  /** The plan's allowance stands before grants of its priority and expiry, and rolled-over units before it. */
  private inBurnOrder(): Pot[] {
    const all: Pot[] = [this.rolled, this.plan, ...this.grants]
    return all.sort(
      (a, b) => a.priority - b.priority || compare(a.expiresAtMs, b.expiresAtMs) || a.age - b.age || (a.name < b.name ? -1 : 1),
    )
  }

  private isThere(source: Pot, atMs: number): boolean {
    const grant = this.grants.find((each) => each === source)
    return grant === undefined || (grant.fromMs <= atMs && atMs < grant.endMs)
  }
}

/** Ages -1 and -2 put the plan and rolled-over units before every grant. */
function pot(name: string, age: number, expiresAtMs: number): Pot {
  return { name, priority: 128, expiresAtMs, age, left: 0n, burned: 0n }
}

function rolledOf(unused: bigint, { percent, max }: NonNullable<Entitlement['rollover']>): bigint {
  const rolled = (unused * (nano(percent) ?? 0n)) / 100_000_000_000n
  const maxNano = nano(max)
  return maxNano !== null && rolled > maxNano ? maxNano : rolled
}

function nano(text: string | null): bigint | null {
  return text === null ? null : parseQuantity(text)
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
