import type { Burn } from '../../domain/billing/billed.ts'
import type { InvoiceDocument } from '../../domain/billing/invoice.ts'
import { type LedgerTransaction, mirrored } from '../../domain/billing/ledger-transaction.ts'
import { minus, plus } from '../../domain/billing/money.ts'
import type { Purse } from '../steps/settle.ts'

/**
 * Takes an unpaid document back as if it had never been made: every entry of its transactions with the opposite sign, credits and
 * coupons with the uses that it took, the balance with what it paid. It keeps its number. Credits that expired with it stay
 * expired: their time was over, whatever becomes of the document.
 */
export function voidInvoice<C extends string>(made: Voidable<C>, purse: Purse<C>): Voided<C> {
  const { document, burns, couponsUsed, transactions } = made
  const credits = purse.credits.map((credit) => {
    const own = burns.filter(({ credit: id }) => id === credit.id)
    return { ...credit, burned: own.reduce((left, { amount }) => minus(left, amount), credit.burned) }
  })
  const coupons = purse.coupons.map((coupon) =>
    coupon.usesLeft === null || !couponsUsed.includes(coupon.id) ? coupon : { ...coupon, usesLeft: coupon.usesLeft + 1 },
  )
  const given = document.document === 'creditNote' ? document.total : document.balanceApplied
  return {
    purse: { credits, coupons, balance: plus(purse.balance, given) },
    transactions: transactions.map((each) => mirrored(`${each.source}/void`, each)),
  }
}

/** A document with what it took; the transactions are its own, without expiries and grants. */
export type Voidable<C extends string = string> = {
  readonly document: Pick<InvoiceDocument<C>, 'document' | 'total' | 'balanceApplied'>
  readonly burns: readonly Burn<C>[]
  readonly couponsUsed: readonly string[]
  readonly transactions: readonly LedgerTransaction<C>[]
}

export type Voided<C extends string = string> = { readonly purse: Purse<C>; readonly transactions: readonly LedgerTransaction<C>[] }
