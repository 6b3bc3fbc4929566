import { invariant } from '../../base/invariant.ts'
import { parseQuantity } from '../decimal.ts'
import type { InstantMs, Period } from '../identity.ts'

/** What the plan (or an override) gives per reset period, in force from an instant until the next allowance begins. */
export type PlanAllowance = {
  readonly fromMs: InstantMs
  /** Nano units; null is unlimited. */
  readonly limit: bigint | null
  readonly rollover: Rollover | null
}

/** `percent` is a decimal string with at most 9 fractional digits; `max` is in nano units, null for no bound. */
export type Rollover = { readonly percent: string; readonly max: bigint | null }

/**
 * A reset period is judged as a whole, from its start, by the last allowance that came into force in it by now: a change of plan
 * keeps the usage and counts it against the new limit. Past periods keep the allowance that they ended with.
 */
export function allowanceIn(allowances: readonly PlanAllowance[], period: Period, nowMs: InstantMs): PlanAllowance {
  let current = NO_ALLOWANCE
  for (const allowance of allowances) {
    const isInForce = allowance.fromMs <= nowMs && allowance.fromMs < period.endMs
    if (isInForce && allowance.fromMs >= current.fromMs) current = allowance
  }
  return current
}

/** Nano units of the plan's unused ones that a reset carries over: min(unused x percent, max), cut to the nano unit. */
export function rolledUnits(unused: bigint, { percent, max }: Rollover): bigint {
  const percentNano = parseQuantity(percent)
  invariant(percentNano !== null && percentNano >= 0n, 'a stored percentage is an exact decimal, not negative')
  const rolled = (unused * percentNano) / HUNDRED_PERCENT_NANO
  return max !== null && rolled > max ? max : rolled
}

export const NO_ALLOWANCE: PlanAllowance = { fromMs: Number.NEGATIVE_INFINITY as InstantMs, limit: 0n, rollover: null }
const HUNDRED_PERCENT_NANO = 100_000_000_000n
