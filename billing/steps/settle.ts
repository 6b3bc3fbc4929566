import { zip } from '../../base/zip.ts'
import type { Billed, Burn } from '../../domain/billing/billed.ts'
import { type Coupon, type Reduction, reducedBy } from '../../domain/billing/coupon.ts'
import type { Credit } from '../../domain/billing/credit.ts'
import type { InvoiceLine, LineHead, Totals } from '../../domain/billing/invoice.ts'
import { greater, lesser, type Money, minus, plus, sum, zero } from '../../domain/billing/money.ts'
import { runningShare } from '../../domain/billing/running-share.ts'
import { burn, type Cost, type PayableLine } from '../credits/burn.ts'
import { applyCoupons } from './apply-coupons.ts'
import { applyTaxes } from './apply-taxes.ts'

/**
 * From lines to the amount due: coupons, credits, taxes, the balance of account, in this order. Each line has whole minor units
 * already; every later amount has whole minor units too, so that a reader can add the document up.
 */
export function settle<C extends string>(priced: readonly PricedLine<C>[], purse: Purse<C>): Settled<C> {
  const coupons = applyCoupons(purse.coupons, priced)
  const reduced = coupons.lines.map((line) => ({ ...line, discount: discountOf(line, line.discount) }))
  const burned = burn(purse.credits, reduced.map(payable))
  const paid = zip(reduced, burned.lines).map(([line, burns]) => {
    const credits = sum(burns.map(({ amount }) => amount))
    return { ...line, burns, credits, net: minus(minus(line.amount, line.discount), credits) }
  })
  const taxes = applyTaxes<C, (typeof paid)[number]>(paid)
  let shown = 0
  const lines = taxes.lines.map((line) => ({ ...line, line: line.isShown ? String(++shown) : null }))
  const net = sum(lines.map((line) => line.net))
  const total = plus(net, taxes.onTop)
  const isNote = total < 0n
  const balanceApplied = isNote ? zero<C>() : lesser(greater(purse.balance, zero()), total)
  const totals: Totals<C> = {
    document: isNote ? 'creditNote' : 'invoice',
    lines: lines.flatMap(onDocument),
    subtotal: sum(lines.map(({ amount }) => amount)),
    discount: sum(lines.map(({ discount }) => discount)),
    credits: sum(lines.map(({ credits }) => credits)),
    net,
    taxes: taxes.taxes,
    tax: sum(taxes.taxes.map(({ amount }) => amount)),
    total,
    balanceApplied,
    due: isNote ? zero() : minus(total, balanceApplied),
  }
  return {
    totals,
    lines,
    credits: burned.credits,
    segments: burned.segments,
    couponsUsed: coupons.used,
    balance: minus(purse.balance, isNote ? total : balanceApplied),
  }
}

/** A line with its one rounding done. */
export type PricedLine<C extends string = string> = LineHead<C> & {
  /** What was billed before for the item that this line corrects; null for a first-time line. */
  readonly before: Billed<C> | null
  /** Where in event time the costs arise: amounts that add up to the line's. */
  readonly costs: readonly Cost<C>[]
  /** A line of 0 is settled too, as its part may be counted again, and stands on no document. */
  readonly isShown: boolean
}

/** What the customer has that lowers the document. */
export type Purse<C extends string = string> = {
  readonly coupons: readonly Coupon<C>[]
  readonly credits: readonly Credit<C>[]
  /** Money owed to the customer, after tax. */
  readonly balance: Money<C>
}

export type SettledLine<C extends string = string> = PricedLine<C> & {
  /** Null on no document. */
  readonly line: string | null
  readonly discount: Money<C>
  readonly credits: Money<C>
  readonly net: Money<C>
  readonly tax: Money<C>
  readonly reductions: readonly Reduction<C>[]
  readonly burns: readonly Burn<C>[]
}

export type Settled<C extends string = string> = {
  readonly totals: Totals<C>
  /** The lines of the totals, with what their next correction needs. */
  readonly lines: readonly SettledLine<C>[]
  readonly credits: readonly Credit<C>[]
  /** What the credits paid, by segment of event time. */
  readonly segments: readonly { readonly atMs: number; readonly burned: ReadonlyMap<string, Money<C>> }[]
  readonly couponsUsed: readonly string[]
  /** The customer's balance after the document. */
  readonly balance: Money<C>
}

/** Everything billed for a line's item, including this line. `invoice` is null when there is no document. */
export function billedAfter<C extends string>({ before, ...line }: SettledLine<C>, invoice: string | null): Billed<C> {
  return {
    amount: plus(before?.amount ?? zero(), line.amount),
    discount: plus(before?.discount ?? zero(), line.discount),
    reductions: before?.reductions ?? line.reductions,
    taxRates: before?.taxRates ?? line.taxRates,
    burns: line.burns.reduce(addBurn, before?.burns ?? []),
    line: before?.line ?? (line.line === null || invoice === null ? null : { invoice, line: line.line }),
  }
}

function onDocument<C extends string>(settled: SettledLine<C>): readonly InvoiceLine<C>[] {
  const { before: _before, costs: _costs, isShown: _isShown, burns: _burns, reductions: _reductions, line, ...head } = settled
  return line === null ? [] : [{ ...head, line }]
}

/**
 * A part that is counted again keeps its reductions, by running totals. A line that gives back a base fee gives back what was
 * billed for it: with the share of its discount that falls on the returned part.
 */
function discountOf<C extends string>({ kind, amount, before }: PricedLine<C>, fresh: Money<C>): Money<C> {
  if (before === null) return fresh
  if (amount === 0n) return zero()
  const after = plus(before.amount, amount)
  if (kind === 'unused') return minus(runningShare(before.discount, after, before.amount), before.discount)
  return minus(reducedBy(before.reductions, after), before.discount)
}

/** The discount is spread over the costs by running totals, so that segments add up to what is left of the line. */
function payable<C extends string>(line: PricedLine<C> & { readonly discount: Money<C> }): PayableLine<C> {
  const { kind, feature, amount, before, discount } = line
  const burns = before?.burns ?? []
  const asked = before === null ? zero<C>() : minus(before.amount, before.discount)
  const unpaid = minus(asked, sum(burns.map((each) => each.amount)))
  let cost = zero<C>()
  let left = zero<C>()
  const costs = line.costs.map(({ atMs, amount: rise }) => {
    cost = plus(cost, rise)
    const leftNow = minus(cost, runningShare(discount, cost, amount))
    const rest = minus(leftNow, left)
    left = leftNow
    return { atMs, amount: rest }
  })
  return { kind, feature, unpaid, burns, costs }
}

function addBurn<C extends string>(burns: readonly Burn<C>[], { credit, amount }: Burn<C>): readonly Burn<C>[] {
  if (amount > 0n) return [...burns, { credit, amount }]
  const at = burns.findLastIndex((each) => each.credit === credit)
  const rest = burns.map((each, index) => (index === at ? { credit, amount: plus(each.amount, amount) } : each))
  return rest.filter((each) => each.amount !== 0n)
}
