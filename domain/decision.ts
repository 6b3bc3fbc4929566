import type { EffectiveEntitlement, MeteredEntitlement } from './entitlements.ts'
import { unreachable } from './invariant.ts'
import type { LimitType } from './plan.ts'

export const DECISION_CODES = [
  'within_limit',
  'over_soft_limit',
  'hard_limit_reached',
  'no_entitlement',
  'unlimited',
  'feature_on',
  'feature_off',
] as const
export type DecisionCode = (typeof DECISION_CODES)[number]
export type Decision = { readonly allowed: boolean; readonly code: DecisionCode }

/** Nano units of one feature in the period under way; held is what reservations keep back. */
export type Spent = { readonly usedUnits: bigint; readonly heldUnits: bigint }

/**
 * May `quantity` (nano units, not negative) be used now? A hard limit lets through what leaves used + held + quantity at
 * the limit or below; so at a limit just reached a quantity of 0 still passes, as it would use nothing. A soft limit lets
 * everything through and says when that goes beyond. Quantity means nothing to boolean and config features.
 */
export function decide(entitlement: EffectiveEntitlement | undefined, spent: Spent, quantity: bigint): Decision {
  if (entitlement === undefined) return { allowed: false, code: 'no_entitlement' }
  switch (entitlement.type) {
    case 'boolean':
      return entitlement.isOn ? { allowed: true, code: 'feature_on' } : { allowed: false, code: 'feature_off' }
    case 'config':
      return { allowed: true, code: 'feature_on' }
    case 'metered':
      return decideMetered(entitlement, spent.usedUnits + spent.heldUnits + quantity)
    default:
      return unreachable(entitlement)
  }
}

/** What is left of a metered feature. All in nano units. */
export type Allowance = {
  readonly limit: bigint | null
  readonly limitType: LimitType
  readonly usedUnits: bigint
  readonly heldUnits: bigint
  /** Limit less used and held, never below 0; null when unlimited. */
  readonly remaining: bigint | null
  /** Used beyond the limit; what is held is not yet used. */
  readonly overage: bigint
  /** Whether there is anything to use: with a hard limit while used + held is below it, with a soft one or none always. */
  readonly hasAccess: boolean
}

export function allowanceOf({ limit, limitType }: MeteredEntitlement, { usedUnits, heldUnits }: Spent): Allowance {
  if (limit === null) return { limit, limitType, usedUnits, heldUnits, remaining: null, overage: 0n, hasAccess: true }
  const left = limit - usedUnits - heldUnits
  return {
    limit,
    limitType,
    usedUnits,
    heldUnits,
    remaining: left > 0n ? left : 0n,
    overage: usedUnits > limit ? usedUnits - limit : 0n,
    hasAccess: limitType === 'soft' || left > 0n,
  }
}

function decideMetered({ limit, limitType }: MeteredEntitlement, unitsAfter: bigint): Decision {
  if (limit === null) return { allowed: true, code: 'unlimited' }
  if (unitsAfter <= limit) return { allowed: true, code: 'within_limit' }
  return limitType === 'soft' ? { allowed: true, code: 'over_soft_limit' } : { allowed: false, code: 'hard_limit_reached' }
}
