import { NANO, parseQuantity, powerOfTen } from '../decimal.ts'
import { AMOUNT_FRACTION_DIGITS_MAX, parseAmount } from '../money.ts'
import { formatRational, type Rational, rational } from '../rational.ts'
import type { Currency, Money } from './money.ts'

/** A tenant's own word for money: 1 unit is `amount` of the currency. Credits are given and shown in it; the book keeps money. */
export type CreditUnit = {
  readonly name: string
  /** Decimal string in the major unit, above 0. */
  readonly amount: string
  readonly currency: string
}

/** The money of a number of units; null when it is no decimal, or no whole number of minor units. */
export function moneyOfUnits<C extends string>(currency: Currency<C>, unit: CreditUnit, units: string | number): Money<C> | null {
  const nano = parseQuantity(units)
  if (nano === null) return null
  const { numerator, denominator } = minorUnitsOf(currency, unit)
  const scaled = nano * numerator
  const whole = NANO * denominator
  return scaled % whole === 0n ? ((scaled / whole) as Money<C>) : null
}

/** An amount in units: an exact decimal, or one of 30 digits when it does not end. */
export function unitsOf<C extends string>(currency: Currency<C>, unit: CreditUnit, amount: Money<C>): string {
  const { numerator, denominator } = minorUnitsOf(currency, unit)
  return formatRational(rational(amount * denominator, numerator))
}

/** Whether this is the amount of a unit: exact and above 0. */
export function isUnitAmount(amount: string | number): boolean {
  return (parseAmount(amount) ?? 0n) > 0n
}

/** Minor units of one unit. */
function minorUnitsOf({ digits }: Currency, { amount }: CreditUnit): Rational {
  return rational((parseAmount(amount) ?? 0n) * powerOfTen(digits), powerOfTen(AMOUNT_FRACTION_DIGITS_MAX))
}
