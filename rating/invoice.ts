import { invariant } from '../base/invariant.ts'
import type { PlanVersion } from '../domain/catalog/plan.ts'
import { formatQuantity, NANO } from '../domain/decimal.ts'
import type { FeatureKey, Period } from '../domain/identity.ts'
import { formatMoney, minorUnitDigits } from '../domain/money.ts'
import { formatRational, type Rational, roundHalfUp } from '../domain/rational.ts'
import { type RatedLine, rate } from './rate.ts'

/**
 * What a subscriber owes for one billing period: the base fee in full, whatever part of the period was subscribed, then every
 * charge of the plan in its order, including those without usage. Each line is rounded once and the total is the sum of the
 * rounded lines, so that a reader who adds them up gets the same. `usage` is in nano units by charge key; absent is none.
 */
export function rateInvoice(input: {
  readonly planVersion: Pick<PlanVersion, 'currency' | 'baseFee' | 'charges'>
  readonly period: Period
  readonly usage: ReadonlyMap<string, bigint>
}): RatedInvoice {
  const { currency, baseFee, charges } = input.planVersion
  const fractionDigits = minorUnitDigits(currency)
  invariant(typeof fractionDigits === 'number', `a plan's currency was checked when the plan was put, '${currency}' is unknown`)

  let totalMinorUnits = 0n
  const due = (exact: Rational) => {
    const minorUnits = roundHalfUp(exact, fractionDigits)
    totalMinorUnits += minorUnits
    return { amount: formatMoney(minorUnits, fractionDigits), exact: formatRational(exact) }
  }
  const lines: InvoiceLine[] = []
  if (baseFee !== null) {
    const { exact } = rate({ model: 'flat', unitAmount: baseFee }, NANO)
    lines.push({ kind: 'base', quantity: '1', ...due(exact) })
  }
  for (const { key, feature, price } of charges) {
    const quantityNano = input.usage.get(key) ?? 0n
    const rated = rate(price, quantityNano)
    const tiers = 'tiers' in price ? { tiers: rated.lines } : {}
    lines.push({ kind: 'usage', charge: key, feature, quantity: formatQuantity(quantityNano), ...due(rated.exact), ...tiers })
  }
  return { currency, period: input.period, lines, total: formatMoney(totalMinorUnits, fractionDigits) }
}

export type RatedInvoice = {
  readonly currency: string
  readonly period: Period
  readonly lines: readonly InvoiceLine[]
  readonly total: string
}

/** `amount` is `exact` rounded half up to the currency's minor unit. `tiers` are the steps of a price that has tiers. */
export type InvoiceLine =
  | { readonly kind: 'base'; readonly quantity: string; readonly amount: string; readonly exact: string }
  | {
      readonly kind: 'usage'
      readonly charge: string
      readonly feature: FeatureKey
      readonly quantity: string
      readonly amount: string
      readonly exact: string
      readonly tiers?: readonly RatedLine[]
    }
