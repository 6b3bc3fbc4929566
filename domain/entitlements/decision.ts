import { unreachable } from '../../base/invariant.ts'
import type { BurnDown } from '../allowance/burn-down.ts'
import type { LimitType } from '../catalog/plan.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from './entitlements.ts'

export const DECISION_CODES = [
  'within_limit',
  'over_soft_limit',
  'hard_limit_reached',
  'no_entitlement',
  'unlimited',
  'feature_on',
  'feature_off',
  'uncertain_allowed',
  'uncertain_denied',
] as const
export type DecisionCode = (typeof DECISION_CODES)[number]
export type Decision = { readonly allowed: boolean; readonly code: DecisionCode }

/** Nano units of one feature in the current period; `held` is what reservations keep back. */
export type Spent = {
  readonly usedUnits: bigint
  readonly heldUnits: bigint
  /** Says what is left where the limit alone does not. */
  readonly burnDown?: BurnDown
}

/**
 * May `quantity` (nano units, not negative) be used now? A hard limit allows it while used + held + quantity is at or below the
 * limit; so at a limit just reached a quantity of 0 is still allowed, as it uses nothing. A soft limit allows everything and says
 * when it is exceeded. Boolean and config features ignore the quantity.
 */
export function decide(entitlement: EffectiveEntitlement | undefined, spent: Spent, quantity: bigint): Decision {
  if (entitlement === undefined) return { allowed: false, code: 'no_entitlement' }
  switch (entitlement.type) {
    case 'boolean':
      return entitlement.isOn ? { allowed: true, code: 'feature_on' } : { allowed: false, code: 'feature_off' }
    case 'config':
      return { allowed: true, code: 'feature_on' }
    case 'metered':
      return decideMetered(entitlement.limitType, leftUnits(entitlement, spent), quantity)
    default:
      return unreachable(entitlement)
  }
}

/**
 * The answer while nobody can decide: the entitlement as it was last known, with its policy for this case. A boolean that was off
 * allows nothing under either policy.
 */
export function decideUncertain(lastKnown: EffectiveEntitlement | undefined): Decision {
  const isAllowed = lastKnown?.onUncertain === 'allow' && !(lastKnown.type === 'boolean' && !lastKnown.isOn)
  return isAllowed ? { allowed: true, code: 'uncertain_allowed' } : { allowed: false, code: 'uncertain_denied' }
}

/** What is left of a metered feature. All in nano units. */
export type Allowance = {
  /** Includes grants and rolled-over units that cover the current period; null is unlimited. */
  readonly limit: bigint | null
  readonly limitType: LimitType
  readonly usedUnits: bigint
  readonly heldUnits: bigint
  /** Units that are neither used nor held, never below 0; null when unlimited. */
  readonly remaining: bigint | null
  /** Units used and covered by nothing; held units are not yet used. */
  readonly overage: bigint
  /** Whether anything can be used: with a hard limit while something is left, otherwise always. */
  readonly hasAccess: boolean
}

export function allowanceOf(entitlement: MeteredEntitlement, spent: Spent): Allowance {
  const { usedUnits, heldUnits } = spent
  const { limitType } = entitlement
  const { limit, overage } = coverageOf(entitlement, spent)
  const left = leftUnits(entitlement, spent)
  if (left === null) return { limit: null, limitType, usedUnits, heldUnits, remaining: null, overage, hasAccess: true }
  const hasAccess = limitType === 'soft' || left > 0n
  return { limit, limitType, usedUnits, heldUnits, remaining: left > 0n ? left : 0n, overage, hasAccess }
}

function decideMetered(limitType: LimitType, left: bigint | null, quantity: bigint): Decision {
  if (left === null) return { allowed: true, code: 'unlimited' }
  if (quantity <= left) return { allowed: true, code: 'within_limit' }
  return limitType === 'soft' ? { allowed: true, code: 'over_soft_limit' } : { allowed: false, code: 'hard_limit_reached' }
}

/** Below 0 when more is used or held than there is; null when unlimited. */
function leftUnits(entitlement: MeteredEntitlement, spent: Spent): bigint | null {
  const { limit, overage } = coverageOf(entitlement, spent)
  if (limit === null) return null
  const covered = spent.usedUnits - overage
  const left = limit - covered - spent.heldUnits
  // A grant that came after the overage can be used, although it does not cover that overage.
  return limit > covered ? left : left - overage
}

function coverageOf({ limit }: MeteredEntitlement, { usedUnits, burnDown }: Spent): Pick<Allowance, 'limit' | 'overage'> {
  if (burnDown !== undefined) {
    const { remaining, overage } = burnDown
    return { limit: remaining === null ? null : usedUnits - overage + remaining, overage }
  }
  return { limit, overage: limit !== null && usedUnits > limit ? usedUnits - limit : 0n }
}
