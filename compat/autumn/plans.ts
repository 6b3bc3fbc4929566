import { instantMsOf } from '../instant-ms.ts'
import { jsonNumber } from '../json-number.ts'
import type { OwnFeature, OwnPlan } from '../own-routes.ts'

const INTERVALS: Readonly<Record<OwnPlan['interval'], { readonly interval: string; readonly interval_count?: number }>> = {
  once: { interval: 'one_off' },
  day: { interval: 'day' },
  week: { interval: 'week' },
  '28days': { interval: 'day', interval_count: 28 },
  month: { interval: 'month' },
  '3months': { interval: 'quarter' },
  '6months': { interval: 'semi_annual' },
  year: { interval: 'year' },
}

/** Features with a configuration, which Autumn has not, are left out. */
export function planJson(
  plan: OwnPlan,
  features: readonly OwnFeature[],
  eligibility: { readonly status: string; readonly attach_action: string } | '',
) {
  const { key, name, product, version, baseFee, interval, createdAt, archivedAt, entitlements } = plan
  const typeOf = new Map(features.map((feature) => [feature.key, feature.type]))
  return {
    ...{ id: key, name, description: null, group: product, version, add_on: false, auto_enable: false },
    price: baseFee === null ? null : { amount: jsonNumber(baseFee), ...INTERVALS[interval] },
    created_at: instantMsOf(createdAt),
    items: entitlements
      .filter(({ feature }) => typeOf.get(feature) !== 'config')
      .map((each) => itemJson(plan, each, typeOf.get(each.feature) === 'metered')),
    ...{ env: 'live', archived: archivedAt !== null, config: { ignore_past_due: false }, metadata: {}, base_variant_id: null },
    ...(eligibility === '' ? {} : { customer_eligibility: eligibility }),
  }
}

function itemJson({ charges, interval: ofPlan }: OwnPlan, { feature, limit, reset }: OwnPlan['entitlements'][number], isMetered: boolean) {
  if (!isMetered) return { feature_id: feature, included: 0, unlimited: false, reset: null, price: null }
  const charge = charges.find((each) => each.feature === feature)
  const interval = reset === undefined || reset === 'interval' ? INTERVALS[ofPlan].interval : reset
  return {
    ...{
      feature_id: feature,
      included: limit === null || limit === undefined ? 0 : jsonNumber(limit),
      unlimited: limit === null || limit === undefined,
    },
    reset: reset === 'never' ? null : { interval: interval === 'one_off' ? 'month' : interval },
    price: charge === undefined ? null : itemPrice(charge.price, INTERVALS[ofPlan].interval),
  }
}

function itemPrice(price: OwnPlan['charges'][number]['price'], interval: string) {
  const common = { interval, billing_method: 'usage_based', max_purchase: null }
  switch (price.model) {
    case 'flat':
      return { ...common, amount: jsonNumber(price.unitAmount), billing_units: jsonNumber(price.per ?? '1') }
    case 'package':
      return { ...common, amount: jsonNumber(price.amount), billing_units: jsonNumber(price.packageSize) }
    default:
      return {
        ...{ ...common, billing_units: jsonNumber(price.per ?? '1'), tier_behavior: price.model === 'tiered' ? 'graduated' : 'volume' },
        tiers: price.tiers.map(({ upTo, unitAmount = '0', flatAmount = '0' }) => ({
          ...{ to: upTo === null ? 'inf' : jsonNumber(upTo), amount: jsonNumber(unitAmount), flat_amount: jsonNumber(flatAmount) },
        })),
      }
  }
}
