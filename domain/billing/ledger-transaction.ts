import { invariant } from '../../base/invariant.ts'
import type { Credit } from './credit.ts'
import { leftOf } from './credit.ts'
import { type Money, minus, negate, plus } from './money.ts'
import { runningShare } from './running-share.ts'

export const ACCOUNTS = ['receivable', 'cash', 'balance', 'credits', 'promotion', 'breakage', 'revenue', 'tax', 'badDebt'] as const
export type Account = (typeof ACCOUNTS)[number]

/** Debits are above zero. */
export type LedgerEntry<C extends string = string> = { readonly account: Account; readonly amount: Money<C>; readonly credit?: string }

/** Something that happened to the money of one customer, as entries that sum to zero. Each `source` is posted once. */
export type LedgerTransaction<C extends string = string> = { readonly source: string; readonly entries: readonly LedgerEntry<C>[] }

type Amounts<C extends string> = Partial<Record<Account, Money<C>>>

/** Posts a document: an invoice, or one below zero, whose amount goes to the customer's balance. */
export function invoicePosted<C extends string>(
  source: string,
  of: { readonly tax: Money<C>; readonly total: Money<C>; readonly burned: ReadonlyMap<string, Money<C>> },
): LedgerTransaction<C> {
  const credits = [...of.burned].map(([credit, amount]) => ({ account: 'credits' as const, amount, credit }))
  const burned = credits.reduce((left, { amount }) => plus(left, amount), 0n as Money<C>)
  const revenue = negate(plus(minus(of.total, of.tax), burned))
  const owed: Amounts<C> = of.total < 0n ? { balance: of.total } : { receivable: of.total }
  return transaction(source, [...entriesOf({ ...owed, tax: negate(of.tax) }), ...credits, ...entriesOf({ revenue })])
}

/** The same entries with the opposite sign. */
export function mirrored<C extends string>(source: string, { entries }: LedgerTransaction<C>): LedgerTransaction<C> {
  return transaction(
    source,
    entries.map((entry) => ({ ...entry, amount: negate(entry.amount) })),
  )
}

/** The sale of a credit that is granted when it is paid: until then what it costs is owed as credits, and is that of no credit. */
export function creditAwaitedPosted<C extends string>(
  source: string,
  { paid }: Pick<Credit<C>, 'paid'>,
  tax: Money<C>,
): LedgerTransaction<C> {
  return transaction(source, entriesOf({ receivable: plus(paid, tax), tax: negate(tax), credits: negate(paid) }))
}

/** The grant of such a credit: what was owed is the credit now. */
export function creditGrantedPosted<C extends string>(source: string, credit: Credit<C>): LedgerTransaction<C> {
  const { id, amount, paid } = credit
  const owed = entriesOf({ credits: paid, promotion: minus(amount, paid) })
  return transaction(source, [...owed, { account: 'credits', amount: negate(amount), credit: id }])
}

/** A purchased credit is worth its face value; the part above its price is the seller's promotion. */
export function creditPosted<C extends string>(source: string, credit: Credit<C>, tax: Money<C>): LedgerTransaction<C> {
  const { id, amount, paid } = credit
  const owed = entriesOf({ receivable: plus(paid, tax), promotion: minus(amount, paid), tax: negate(tax) })
  return transaction(source, [...owed, { account: 'credits', amount: negate(amount), credit: id }])
}

/**
 * The rest of a credit ends, by expiry or by being voided. The paid part of the rest becomes the seller's revenue (breakage), the
 * other part takes promotion back: by running share over the credit, so that its cost is gone to the minor unit when it is used
 * up.
 */
export function creditEnded<C extends string>(source: string, credit: Credit<C>, amount: Money<C>): LedgerTransaction<C> {
  invariant(amount >= 0n && amount <= leftOf(credit), 'a credit ends with at most what is left of it')
  const gone = minus(credit.amount, leftOf(credit))
  const paid = minus(runningShare(credit.paid, plus(gone, amount), credit.amount), runningShare(credit.paid, gone, credit.amount))
  const ends = entriesOf({ breakage: negate(paid), promotion: negate(minus(amount, paid)) })
  return transaction(source, [{ account: 'credits', amount, credit: credit.id }, ...ends])
}

/** A payment; what exceeds the amount due goes to the balance. */
export function paymentPosted<C extends string>(source: string, amount: Money<C>, toBalance: Money<C>): LedgerTransaction<C> {
  return transaction(source, entriesOf({ cash: amount, receivable: minus(toBalance, amount), balance: negate(toBalance) }))
}

/** Balance of the customer pays an invoice. */
export function balancePosted<C extends string>(source: string, amount: Money<C>): LedgerTransaction<C> {
  return transaction(source, entriesOf({ balance: amount, receivable: negate(amount) }))
}

/** Balance of the customer is paid out. */
export function refundPosted<C extends string>(source: string, amount: Money<C>): LedgerTransaction<C> {
  return transaction(source, entriesOf({ balance: amount, cash: negate(amount) }))
}

/** A credit note takes revenue and tax back: first off what is still due, the rest goes to the balance. */
export function creditNotePosted<C extends string>(
  source: string,
  note: { readonly total: Money<C>; readonly tax: Money<C>; readonly offDue: Money<C> },
): LedgerTransaction<C> {
  const { total, tax, offDue } = note
  const entries = { revenue: minus(total, tax), tax, receivable: negate(offDue), balance: negate(minus(total, offDue)) }
  return transaction(source, entriesOf(entries))
}

/** Credits get back what they had paid: revenue that was never money is taken back. */
export function creditsReturnedPosted<C extends string>(
  source: string,
  returned: readonly { readonly credit: string; readonly amount: Money<C> }[],
): LedgerTransaction<C> {
  const credits = returned.map(({ credit, amount }) => ({ account: 'credits' as const, amount: negate(amount), credit }))
  const revenue = returned.reduce((left, { amount }) => plus(left, amount), 0n as Money<C>)
  return transaction(source, [...credits, ...entriesOf({ revenue })])
}

export function uncollectiblePosted<C extends string>(source: string, amount: Money<C>): LedgerTransaction<C> {
  return transaction(source, entriesOf({ receivable: negate(amount), badDebt: amount }))
}

/** Checked here and again by the database: entries that do not sum to zero are a bug and are not written. */
function transaction<C extends string>(source: string, entries: readonly LedgerEntry<C>[]): LedgerTransaction<C> {
  const kept = entries.filter(({ amount }) => amount !== 0n)
  const total = kept.reduce((left, { amount }) => left + amount, 0n)
  invariant(total === 0n, `the entries of ${source} sum to zero, and not to ${total}`)
  return { source, entries: kept }
}

function entriesOf<C extends string>(amounts: Amounts<C>): readonly LedgerEntry<C>[] {
  return ACCOUNTS.flatMap((account) => {
    const amount = amounts[account]
    return amount === undefined ? [] : [{ account, amount }]
  })
}
