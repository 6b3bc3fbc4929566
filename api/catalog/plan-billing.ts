import type { Static } from 'typebox'
import { type Currency, parseMoney } from '../../domain/billing/money.ts'
import type { Charge, PlanCredit, PlanVersion } from '../../domain/catalog/plan.ts'
import { formatAmount, parseAmount } from '../../domain/money.ts'
import { isRefusal, refuse } from '../../domain/refusal.ts'
import type { PlanInputSchema } from '../../schemas/http/catalog.ts'
import type { ErrorList } from '../error-list.ts'

type PlanInput = Static<typeof PlanInputSchema>
type ChargeInput = NonNullable<PlanInput['charges']>[number]
export type PlanBilling = Pick<PlanVersion, 'baseFeeTiming' | 'proration' | 'minimum' | 'thresholdAmount' | 'credits'>

/** The plan's billing terms, with every amount in its shortest form; problems are added to the errors. */
export function readPlanBilling(input: PlanInput, currency: Currency | null, errors: ErrorList): PlanBilling {
  const { baseFeeTiming, proration, minimum, thresholdAmount, credits } = input
  const amount = (given: string | number, field: string) => readPlanAmount(given, field, currency, errors)
  return {
    ...(baseFeeTiming !== undefined && { baseFeeTiming }),
    ...(proration !== undefined && { proration }),
    ...(minimum !== undefined && { minimum: { ...minimum, amount: amount(minimum.amount, 'minimum.amount') } }),
    ...(thresholdAmount !== undefined && { thresholdAmount: amount(thresholdAmount, 'thresholdAmount') }),
    ...(credits !== undefined && {
      credits: credits.map((credit, index): PlanCredit => ({ ...credit, amount: amount(credit.amount, `credits[${index}].amount`) })),
    }),
  }
}

/** The same for a charge. With a maximum below its minimum a charge could never reach the minimum. */
export function readChargeBilling(
  { minimum, maximum, taxRates }: ChargeInput,
  field: string,
  currency: Currency | null,
  errors: ErrorList,
): Pick<Charge, 'minimum' | 'maximum' | 'taxRates'> {
  const amount = (given: string | number, name: string) => readPlanAmount(given, `${field}.${name}`, currency, errors)
  const read = {
    ...(minimum !== undefined && { minimum: amount(minimum, 'minimum') }),
    ...(maximum !== undefined && { maximum: amount(maximum, 'maximum') }),
    ...(taxRates !== undefined && { taxRates }),
  }
  const least = parseAmount(read.minimum ?? '0') ?? 0n
  const most = parseAmount(read.maximum ?? '') ?? least
  if (most < least) {
    errors.add(`${field}.maximum`, 'invalid_amount', `${field}.maximum is ${read.maximum}, below the minimum of ${read.minimum}`)
  }
  return read
}

/** An amount not finer than the currency and not below zero; '0' when it is wrong. With an unknown currency it cannot be checked. */
function readPlanAmount(given: string | number, field: string, currency: Currency | null, errors: ErrorList): string {
  if (currency === null) return '0'
  const minorUnits = parseMoney(currency, given)
  if (isRefusal(minorUnits)) {
    errors.refuse(field, refuse('amount_too_fine', { amount: String(given), currency: currency.code, digits: currency.digits }))
    return '0'
  }
  if (minorUnits < 0n) errors.add(field, 'invalid_amount', `${field} must not be below 0, was ${given}`)
  return formatAmount(parseAmount(given) ?? 0n)
}
