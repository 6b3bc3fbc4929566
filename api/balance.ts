import { formatQuantity } from '../domain/decimal.ts'
import { allowanceOf, type Spent } from '../domain/decision.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../domain/entitlements.ts'
import { END_OF_TIME_MS, type FeatureKey, type Period } from '../domain/identity.ts'
import { unreachable } from '../domain/invariant.ts'
import type { FeatureType } from '../domain/plan.ts'
import type { Balance } from '../schemas/http/balance.ts'

/** What was spent of a metered feature, and in which period. */
export type PeriodSpent = Spent & { readonly period: Period }

export type MeteredSpent = { readonly entitlement: MeteredEntitlement; readonly spent: PeriodSpent }

export function meteredBalance({ entitlement, spent }: MeteredSpent): Balance {
  const { limit, limitType, usedUnits, heldUnits, remaining, overage, hasAccess } = allowanceOf(entitlement, spent)
  return {
    feature: entitlement.feature,
    type: 'metered',
    hasAccess,
    limit: limit === null ? null : formatQuantity(limit),
    limitType,
    used: formatQuantity(usedUnits),
    held: formatQuantity(heldUnits),
    remaining: remaining === null ? null : formatQuantity(remaining),
    overage: formatQuantity(overage),
    period: isoPeriod(spent.period),
  }
}

export function unmeteredBalance(entitlement: Exclude<EffectiveEntitlement, MeteredEntitlement>): Balance {
  const { feature, type } = entitlement
  switch (type) {
    case 'boolean':
      return { feature, type, ...NOTHING_METERED, hasAccess: entitlement.isOn }
    case 'config':
      return { feature, type, ...NOTHING_METERED, hasAccess: true, value: entitlement.value }
    default:
      return unreachable(type)
  }
}

/** Of a feature that exists and the customer is not entitled to: a limit of nothing, so that nobody reads it as unlimited. */
export function missingBalance(feature: FeatureKey, type: FeatureType): Balance {
  if (type !== 'metered') return { feature, type, ...NOTHING_METERED, hasAccess: false }
  return { feature, type, ...NOTHING_METERED, hasAccess: false, limit: '0', limitType: 'hard', remaining: '0' }
}

const NOTHING_METERED = { limit: null, limitType: null, used: '0', held: '0', remaining: null, overage: '0', period: null } as const

function isoPeriod({ startMs, endMs }: Period): Balance['period'] {
  if (endMs >= END_OF_TIME_MS) return null
  return { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() }
}
