import { NANO, parseQuantity } from '../../domain/decimal.ts'
import type { Balance } from '../../schemas/http/balance.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { jsonNumber } from '../json-number.ts'
import { unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { fieldsOf, optionalText, textOf } from './fields.ts'

/** What a customer may use: the path that a request waits for. */
export async function entitlementRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  // The server SDKs send no slash at the end, the browser's do.
  for (const path of ['/entitlements', '/entitlements/']) {
    app.get(path, { config: ANY_KEY }, async (request) => {
      const query = fieldsOf(request.query)
      const customerId = textOf(query, 'customer_id')
      const featureId = optionalText(query, 'feature_id')
      // Sign-up flows ask for a customer who is not known yet: nothing, and no error.
      const balances = await unlessRefused(own(request).balances(customerId), 'unknown_customer')
      const wanted = (balances?.data ?? []).filter(({ feature }) => featureId === undefined || feature === featureId)
      return { customerId, entitlements: wanted.map(entitlementJson) }
    })
  }
}

function entitlementJson(balance: Balance) {
  const { feature: featureId, hasAccess, value } = balance
  switch (balance.type) {
    case 'metered':
      return { featureId, featureType: 'METER', hasAccess, resetAt: balance.period?.end ?? null, ...meteredFigures(balance) }
    case 'boolean':
      return { featureId, featureType: 'BOOLEAN', hasAccess, ...NO_FIGURES }
    case 'config': {
      const limit = Number.isSafeInteger(value) ? (value as number) : null
      const figures = { resetAt: null, hardLimit: true, usageLimit: limit, currentUsage: 0, remaining: limit }
      return { featureId, featureType: 'CUSTOMIZABLE', hasAccess, ...figures, value }
    }
  }
}

const NO_FIGURES = { resetAt: null, hardLimit: null, usageLimit: null, currentUsage: null, remaining: null }

/**
 * Whole numbers, as the Python SDK refuses others: usage is rounded up, the limit down. The SDKs take what is left from the two, so
 * the limit is what makes the difference right where a later grant does not cover earlier overage.
 */
function meteredFigures({ limit, limitType, used, held, remaining }: Balance) {
  const taken = unitsOf(used) + unitsOf(held)
  const currentUsage = roundedUp(taken)
  if (limit === null || remaining === null) {
    return { hardLimit: false, usageLimit: null, currentUsage: jsonNumber(currentUsage), remaining: null }
  }
  const left = unitsOf(remaining)
  const usageLimit = (left > 0n ? taken + left : unitsOf(limit)) / NANO
  return {
    hardLimit: limitType === 'hard',
    usageLimit: jsonNumber(usageLimit),
    currentUsage: jsonNumber(currentUsage),
    remaining: jsonNumber(usageLimit - currentUsage),
  }
}

/** Balances are exact decimals of at most 9 fractional digits. */
function unitsOf(decimal: string): bigint {
  return parseQuantity(decimal) ?? 0n
}

function roundedUp(units: bigint): bigint {
  return units > 0n ? (units + NANO - 1n) / NANO : units / NANO
}
