import { nothingBilled } from '../../domain/billing/billed.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import { zero } from '../../domain/billing/money.ts'

/**
 * A subscription's book after its newest document was taken back and its time stays unbilled. Nothing was asked for on it, so nothing
 * of it is given back later: its base fees count as billed with nothing, and the parts that it closed are counted no more. Earlier
 * parts that it corrected stand as before it, and the next document corrects them. The cursor stays where it is.
 */
export function abandonedBook<C extends string>(book: BillingBook<C>, before: BillingBook<C>, invoice: string): BillingBook<C> {
  const baseFees = book.baseFees.map((fee) =>
    fee.billed.line?.invoice === invoice ? { ...fee, billed: nothingBilled<C>(fee.billed.taxRates) } : fee,
  )
  const committed = book.committed === null ? null : { ...book.committed, counted: before.committed?.counted ?? zero<C>() }
  return { ...book, baseFees, parts: before.parts, committed }
}
