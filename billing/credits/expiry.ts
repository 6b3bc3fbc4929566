import { type Credit, leftOf } from '../../domain/billing/credit.ts'
import { creditEnded, type LedgerTransaction } from '../../domain/billing/ledger-transaction.ts'
import { type Money, plus } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'

/**
 * Ends the credits whose last event time is billed: usage before their end may arrive until then, so the invoice of the period
 * books their expiry and not the clock. Amounts given back to an ended credit expire with the next document.
 */
export function expire<C extends string>(credits: readonly Credit<C>[], billedToMs: InstantMs, source: string): Expired<C> {
  const transactions: LedgerTransaction<C>[] = []
  const after = credits.map((credit) => {
    const left: Money<C> = leftOf(credit)
    if (credit.expiresAtMs === null || credit.expiresAtMs > billedToMs || left === 0n) return credit
    transactions.push(creditEnded(`${source}/expired/${credit.id}`, credit, left))
    return { ...credit, expired: plus(credit.expired, left) }
  })
  return { credits: after, transactions }
}

export type Expired<C extends string = string> = {
  readonly credits: readonly Credit<C>[]
  readonly transactions: readonly LedgerTransaction<C>[]
}
