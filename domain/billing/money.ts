import { parseDecimal } from '../decimal.ts'
import { AMOUNT_INTEGER_DIGITS_MAX, formatMoney, minorUnitDigits } from '../money.ts'
import { type Rational, roundHalfUp } from '../rational.ts'
import { isRefusal, type Outcome, refuse } from '../refusal.ts'

/**
 * Whole minor units of one currency, which stands in the type: sums of two currencies do not compile, and a document is generic
 * in its currency. At run time money is a bigint alone, so it costs what a number costs.
 */
export type Money<C extends string = string> = bigint & { readonly [inCurrency]: (code: C) => C }
declare const inCurrency: unique symbol

/** ISO 4217 code, and the fractional digits of its minor unit. */
export type Currency<C extends string = string> = { readonly code: C; readonly digits: number }

/** Refuses `unknown_currency`. */
export function currencyOf<C extends string>(code: C): Outcome<Currency<C>> {
  const digits = minorUnitDigits(code)
  return isRefusal(digits) ? digits : { code, digits }
}

export function money<C extends string>(_currency: Currency<C>, minorUnits: bigint): Money<C> {
  return minorUnits as Money<C>
}

/** Minor units of a decimal. Refuses `amount_too_fine` for more digits than the currency has, and for anything but a decimal below 10^15. */
export function parseMoney<C extends string>(currency: Currency<C>, input: string | number): Outcome<Money<C>> {
  const { code, digits } = currency
  const minorUnits = parseDecimal(input, AMOUNT_INTEGER_DIGITS_MAX, digits)
  return minorUnits === null ? refuse('amount_too_fine', { amount: String(input), currency: code, digits }) : money(currency, minorUnits)
}

/** The one rounding of an exact amount: half up, away from zero. */
export function roundMoney<C extends string>(currency: Currency<C>, exact: Rational): Money<C> {
  return money(currency, roundHalfUp(exact, currency.digits))
}

export function moneyText<C extends string>(currency: Currency<C>, amount: Money<C>): string {
  return formatMoney(amount, currency.digits)
}

export function zero<C extends string>(): Money<C> {
  return 0n as Money<C>
}

export function plus<C extends string>(left: Money<C>, right: Money<C>): Money<C> {
  return (left + right) as Money<C>
}

export function minus<C extends string>(left: Money<C>, right: Money<C>): Money<C> {
  return (left - right) as Money<C>
}

export function negate<C extends string>(amount: Money<C>): Money<C> {
  return -amount as Money<C>
}

export function sum<C extends string>(amounts: Iterable<Money<C>>): Money<C> {
  let total = 0n
  for (const amount of amounts) total += amount
  return total as Money<C>
}

export function lesser<C extends string>(left: Money<C>, right: Money<C>): Money<C> {
  return left < right ? left : right
}

export function greater<C extends string>(left: Money<C>, right: Money<C>): Money<C> {
  return left > right ? left : right
}
