import { unreachable } from '../../base/invariant.ts'
import type { BurnDown } from '../../domain/allowance/burn-down.ts'
import { PLAN_PRIORITY } from '../../domain/allowance/grant.ts'
import type { FeatureType } from '../../domain/catalog/plan.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import { allowanceOf } from '../../domain/entitlements/decision.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../../domain/entitlements/entitlements.ts'
import { END_OF_TIME_MS, type FeatureKey, type InstantMs, type Period } from '../../domain/identity.ts'
import type { MeteredSpent } from '../../entitlements/metered-spent.ts'
import type { Balance, BalanceSource } from '../../schemas/http/balance.ts'

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

/** Includes what is left of each source, in burn order. */
export function itemizedBalance(metered: MeteredSpent): Balance {
  const { burnDown } = metered.spent
  return { ...meteredBalance(metered), sources: burnDown === undefined ? [planSource(metered)] : burnDown.sources.map(sourceOf) }
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

/** The balance of an existing feature that the customer is not entitled to: a limit of 0, so that nobody reads it as unlimited. */
export function missingBalance(feature: FeatureKey, type: FeatureType): Balance {
  if (type !== 'metered') return { feature, type, ...NOTHING_METERED, hasAccess: false }
  return { feature, type, ...NOTHING_METERED, hasAccess: false, limit: '0', limitType: 'hard', remaining: '0' }
}

const NOTHING_METERED = { limit: null, limitType: null, used: '0', held: '0', remaining: null, overage: '0', period: null } as const

function planSource({ entitlement: { limit }, spent }: MeteredSpent): BalanceSource {
  const left = limit === null ? null : limit - spent.usedUnits
  return {
    source: 'plan',
    priority: PLAN_PRIORITY,
    amount: limit === null ? null : formatQuantity(limit),
    remaining: left === null ? null : formatQuantity(left > 0n ? left : 0n),
    ...expiry(spent.period.endMs),
  }
}

function sourceOf({ source, left }: BurnDown['sources'][number]): BalanceSource {
  const remaining = left === null ? null : formatQuantity(left)
  switch (source.kind) {
    case 'plan':
      return {
        source: source.kind,
        priority: PLAN_PRIORITY,
        amount: source.amount === null ? null : formatQuantity(source.amount),
        remaining,
        ...expiry(source.expiresAtMs),
      }
    case 'rollover':
      return {
        source: source.kind,
        priority: PLAN_PRIORITY,
        amount: formatQuantity(source.amount),
        remaining,
        ...expiry(source.expiresAtMs),
      }
    case 'correction':
      return { source: source.kind, amount: remaining, remaining, ...expiry(source.expiresAtMs) }
    case 'grant': {
      const { id, priority, amount, expiresAtMs } = source.grant
      return { source: source.kind, id, priority, amount: formatQuantity(amount), remaining, ...expiry(expiresAtMs) }
    }
    default:
      return unreachable(source)
  }
}

function expiry(expiresAtMs: InstantMs | null): Pick<BalanceSource, 'expiresAt'> {
  return expiresAtMs === null || expiresAtMs >= END_OF_TIME_MS ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }
}

function isoPeriod({ startMs, endMs }: Period): Balance['period'] {
  if (endMs >= END_OF_TIME_MS) return null
  return { start: isoOf(startMs), end: isoOf(endMs) }
}

/** Many customers share few period bounds, and formatting one costs more than the rest of a balance. */
const isoTexts = new Map<InstantMs, string>()
const ISO_TEXTS_MAX = 20_000

function isoOf(atMs: InstantMs): string {
  const known = isoTexts.get(atMs)
  if (known !== undefined) return known
  if (isoTexts.size >= ISO_TEXTS_MAX) isoTexts.clear()
  const text = new Date(atMs).toISOString()
  isoTexts.set(atMs, text)
  return text
}
