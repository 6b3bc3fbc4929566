import { NANO, parseQuantity } from '../../domain/decimal.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import { jsonNumber } from '../json-number.ts'
import type { OwnFeature, OwnPlan, OwnSubscription, Tollgate } from '../own-routes.ts'
import { msOf } from './bodies.ts'

/** A metered balance; what is held counts as used. */
export function balanceJson(balance: Balance) {
  const { feature, limit, limitType, used, held, remaining, period, sources } = balance
  const isUnlimited = limit === null
  return {
    feature_id: feature,
    granted: isUnlimited ? 0 : jsonNumber(limit),
    remaining: remaining === null ? 0 : jsonNumber(remaining),
    usage: jsonNumber(sumOf(used, held)),
    unlimited: isUnlimited,
    overage_allowed: !isUnlimited && limitType === 'soft',
    max_purchase: null,
    next_reset_at: msOf(period?.end),
    ...(sources === undefined ? {} : { breakdown: sources.map((source, index) => breakdownJson(source, index, isUnlimited)) }),
  }
}

function breakdownJson(
  { id, source, amount, remaining, expiresAt }: NonNullable<Balance['sources']>[number],
  index: number,
  isUnlimited: boolean,
) {
  return {
    ...{
      id: id ?? `${source}-${index}`,
      plan_id: null,
      included_grant: numberOf(amount),
      prepaid_grant: 0,
      remaining: numberOf(remaining),
    },
    ...{ usage: amount === null || remaining === null ? 0 : jsonNumber(sumOf(amount, `-${remaining}`)), unlimited: isUnlimited },
    ...{ reset: null, price: null, expires_at: msOf(expiresAt) },
  }
}

function numberOf(decimal: string | null): number {
  return decimal === null ? 0 : jsonNumber(decimal)
}

/** Balances are exact decimals. */
function sumOf(left: string, right: string): string {
  const units = (text: string) => (text.startsWith('--') ? 0n : (parseQuantity(text) ?? 0n))
  const sum = units(left) + units(right)
  const [sign, size] = sum < 0n ? ['-', -sum] : ['', sum]
  return `${sign}${size / NANO}.${(size % NANO).toString().padStart(9, '0')}`
}

/** A boolean feature that is on; which plan gives it, or null for one of the customer's own. */
export function flagJson(feature: string, plans: readonly OwnPlan[]) {
  const plan = plans.find(({ entitlements }) => entitlements.some((each) => each.feature === feature))
  return { id: feature, plan_id: plan?.key ?? null, expires_at: null, feature_id: feature }
}

/** The plans of the subscriptions that run. */
export async function runningPlans(tollgate: Tollgate, subscriptions: readonly OwnSubscription[]): Promise<readonly OwnPlan[]> {
  const running = subscriptions.filter(({ status }) => status === 'active' || status === 'canceled')
  return await Promise.all(running.map(({ plan, planVersion }) => tollgate.plan(plan, planVersion)))
}

export function featureJson({ key, name, type, archivedAt }: OwnFeature, eventType: string | undefined) {
  return {
    ...{ id: key, name, type: type === 'metered' ? 'metered' : 'boolean', consumable: type === 'metered', archived: archivedAt !== null },
    ...(eventType === undefined ? {} : { event_names: [eventType] }),
  }
}
