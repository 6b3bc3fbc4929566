import { invariant } from '../../base/invariant.ts'
import { type LedgerTransaction, paymentPosted } from '../../domain/billing/ledger-transaction.ts'
import { lesser, type Money, minus } from '../../domain/billing/money.ts'

/**
 * A payment for an invoice: it pays what is still due, and the excess goes to the customer's balance of account. `source` names
 * the payment's reference, so that it is posted once.
 */
export function decidePayment<C extends string>(source: string, stillDue: Money<C>, amount: Money<C>): Payment<C> {
  invariant(amount > 0n && stillDue >= 0n, 'a payment is above zero, and what is due is not below it')
  const applied = lesser(stillDue, amount)
  const toBalance = minus(amount, applied)
  return { applied, toBalance, isPaid: applied === stillDue, transaction: paymentPosted(source, amount, toBalance) }
}

export type Payment<C extends string = string> = {
  readonly applied: Money<C>
  readonly toBalance: Money<C>
  readonly isPaid: boolean
  readonly transaction: LedgerTransaction<C>
}
