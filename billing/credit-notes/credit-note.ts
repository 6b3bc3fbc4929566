import type { InvoiceLine } from '../../domain/billing/invoice.ts'
import { type Currency, greater, lesser, type Money, minus, moneyText, plus, sum, zero } from '../../domain/billing/money.ts'
import { runningShare } from '../../domain/billing/running-share.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'

/**
 * A note takes back, line by line, an amount of what is left of the line's net, and the tax on it by running share of the line's
 * tax. So notes on all lines add up to the invoice to the minor unit, and never to more: an amount beyond the rest of a line is
 * refused as `exceeds_creditable`. Its total lowers what is still due first; the rest goes to the balance of account.
 */
export function decideCreditNote<C extends string>(invoice: Creditable<C>, wanted: readonly WantedCredit<C>[]): Outcome<CreditNote<C>> {
  const lines: NoteLine<C>[] = []
  for (const { line: id, amount: asked, total: askedTotal } of wanted) {
    const line = invoice.lines.find((each) => each.line === id)
    if (line === undefined || lines.some((each) => each.line === id)) {
      return refuse('unknown_line', { line: id })
    }
    const credited = invoice.credited.get(id) ?? zero()
    const left = minus(greater(line.net, zero()), credited)
    const taxUpTo = (part: Money<C>) => runningShare(line.tax, part, line.net)
    const taxBefore = invoice.creditedTax?.get(id) ?? taxUpTo(credited)
    const isTaxIncluded = isInclusive(line)
    const net = askedTotal === undefined ? (asked ?? left) : netOfTotal(line, { credited, taxBefore, isTaxIncluded }, askedTotal)
    if (net < 0n || net > left) {
      const { currency } = invoice
      return refuse('exceeds_creditable', { line: id, left: moneyText(currency, left), asked: moneyText(currency, net) })
    }
    const tax = askedTotal === undefined || isTaxIncluded ? minus(taxUpTo(plus(credited, net)), taxBefore) : minus(askedTotal, net)
    lines.push({ line: id, net, tax, isInclusive: isTaxIncluded })
  }
  const total = sum(lines.map(({ net, tax, isInclusive }) => (isInclusive ? net : plus(net, tax))))
  const offDue = lesser(total, invoice.stillDue)
  return {
    lines,
    net: sum(lines.map(({ net }) => net)),
    tax: sum(lines.map(({ tax }) => tax)),
    total,
    offDue,
    toBalance: minus(total, offDue),
  }
}

/** The net of a part of a line's net and tax, by running share of both together: parts that add up to the line are the line to the minor unit. */
function netOfTotal<C extends string>(
  line: Pick<InvoiceLine<C>, 'net' | 'tax'>,
  before: { readonly credited: Money<C>; readonly taxBefore: Money<C>; readonly isTaxIncluded: boolean },
  total: Money<C>,
): Money<C> {
  if (before.isTaxIncluded) return total
  const totalUpTo = plus(plus(before.credited, before.taxBefore), total)
  return minus(runningShare(line.net, totalUpTo, plus(line.net, line.tax)), before.credited)
}

/** The creditable rest of an invoice. `credited` is the net that earlier notes took back, by line, and `creditedTax` the tax on it where it is known. */
export type Creditable<C extends string = string> = {
  readonly currency: Currency<C>
  readonly lines: readonly Pick<InvoiceLine<C>, 'line' | 'net' | 'tax' | 'credits' | 'taxRates'>[]
  readonly credited: ReadonlyMap<string, Money<C>>
  readonly creditedTax?: ReadonlyMap<string, Money<C>>
  readonly stillDue: Money<C>
}

/** An amount of the line's net, or a total with its tax. Without either: everything left of the line. */
export type WantedCredit<C extends string = string> = { readonly line: string; readonly amount: Money<C> | null; readonly total?: Money<C> }

type NoteLine<C extends string> = {
  readonly line: string
  readonly net: Money<C>
  readonly tax: Money<C>
  /** The net includes the tax. */
  readonly isInclusive: boolean
}

export type CreditNote<C extends string = string> = {
  readonly lines: readonly NoteLine<C>[]
  readonly net: Money<C>
  readonly tax: Money<C>
  readonly total: Money<C>
  readonly offDue: Money<C>
  readonly toBalance: Money<C>
}

/** What credits had paid of the noted lines, by the share of each line that is taken back; of a line that they paid whole, all. */
export function creditsBack<C extends string>(invoice: Creditable<C>, { lines }: Pick<CreditNote<C>, 'lines'>): Money<C> {
  return sum(
    lines.map(({ line: id, net }) => {
      const line = invoice.lines.find((each) => each.line === id)
      if (line === undefined) return zero<C>()
      if (line.net <= 0n) return greater(line.credits, zero())
      const before = invoice.credited.get(id) ?? zero<C>()
      return minus(runningShare(line.credits, plus(before, net), line.net), runningShare(line.credits, before, line.net))
    }),
  )
}

function isInclusive<C extends string>({ taxRates }: Pick<InvoiceLine<C>, 'taxRates'>): boolean {
  return taxRates.length > 0 && taxRates.every((rate) => rate.isInclusive)
}
