import type { PlanVersion } from '../domain/catalog/plan.ts'
import type { Price, PriceOverrides } from '../domain/catalog/price.ts'
import { isRefusal, type Outcome, refuse, refuseField } from '../domain/refusal.ts'
import { validatePrice } from './validate-price.ts'

/**
 * Prices by charge as they came in, each checked as one of a plan is. Refuses `invalid_price`, and with a plan `unknown_charge` for a
 * charge that it lacks.
 */
export function validatePriceOverrides(
  input: Readonly<Record<string, unknown>>,
  on?: Pick<PlanVersion, 'plan' | 'charges'>,
): Outcome<PriceOverrides> {
  const prices: [string, Price][] = []
  for (const [charge, given] of Object.entries(input)) {
    const field = `priceOverrides.${charge}`
    if (on !== undefined && !on.charges.some(({ key }) => key === charge)) {
      return refuseField(field, refuse('unknown_charge', { charge, plan: on.plan, charges: on.charges.map(({ key }) => key).join(', ') }))
    }
    const price = validatePrice(given, field)
    if (isRefusal(price)) return price
    prices.push([charge, price])
  }
  return Object.fromEntries(prices)
}
