import type { Totals } from '../../domain/billing/invoice.ts'
import type { Currency, Money } from '../../domain/billing/money.ts'
import { moneyText } from '../../domain/billing/money.ts'
import type { OrderTotals } from './order-totals.ts'

/** The totals that a visitor confirmed, as the checkout keeps them: the document to come has these very lines. */
export type DecidedTotals = {
  readonly currency: Currency
  readonly quantity: number
  readonly unitAmount: Money
  readonly totals: Totals
  readonly couponsUsed: readonly string[]
}

export function decidedOf({ currency, quantity, unitAmount, settled }: OrderTotals): DecidedTotals {
  return { currency, quantity, unitAmount, totals: settled.totals, couponsUsed: settled.couponsUsed }
}

/** What the form carries, so that nobody confirms totals that they did not see. */
export function totalsText({ currency, quantity, totals }: DecidedTotals): string {
  const text = (amount: Money) => moneyText(currency, amount)
  const taxes = totals.taxes.map(({ rate, amount }) => `${rate.key}=${text(amount)}`)
  return [currency.code, quantity, text(totals.subtotal), text(totals.discount), ...taxes, text(totals.total), text(totals.due)].join(' ')
}
