import type { LineKind } from '../../domain/billing/invoice.ts'
import type { Currency } from '../../domain/billing/money.ts'
import { greater, type Money, minus, parseMoney, sum, zero } from '../../domain/billing/money.ts'
import { shareOfTime } from '../../domain/billing/share-of-time.ts'
import { COUNTED_DEFAULT } from '../../domain/catalog/plan.ts'
import type { Commitment } from '../../domain/catalog/subscription.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'

/**
 * What is missing to a commitment: a minimum over a term. Lines whose service begins in the term count, by their rounded amounts
 * before coupons and without tax, including lines of earlier documents. A subscription that ends earlier owes the share of the
 * time that it was served.
 */
export function missingToCommitment<C extends string>(
  currency: Currency<C>,
  commitment: Commitment,
  endMs: InstantMs | null,
  counted: Money<C>,
) {
  const term = { startMs: commitment.fromMs, endMs: commitment.toMs }
  const served = { startMs: term.startMs, endMs: commitmentEnd(commitment, endMs) }
  const amount = orThrow(parseMoney(currency, commitment.amount))
  return greater(minus(shareOfTime(amount, term, served), counted), zero())
}

/** The end of the served part of the term. */
export function commitmentEnd({ fromMs, toMs }: Commitment, endMs: InstantMs | null): InstantMs {
  return Math.max(fromMs, Math.min(toMs, endMs ?? toMs)) as InstantMs
}

/** The part of these lines that counts towards the commitment. */
export function countedTowards<C extends string>({ fromMs, toMs, counts }: Commitment, lines: readonly CountedLine<C>[]): Money<C> {
  const kinds = (counts ?? COUNTED_DEFAULT).flatMap((each) => KINDS[each])
  return sum(
    lines
      .filter(({ kind, period }) => kinds.includes(kind) && fromMs <= period.startMs && period.startMs < toMs)
      .map(({ amount }) => amount),
  )
}

type CountedLine<C extends string> = { readonly kind: LineKind; readonly period: Period; readonly amount: Money<C> }

const KINDS: Readonly<Record<'base' | 'usage', readonly LineKind[]>> = {
  base: ['base', 'unused'],
  usage: ['usage', 'adjustment', 'trueUp'],
}
