import { invariant } from '../../base/invariant.ts'
import type { InvoiceLine } from '../../domain/billing/invoice.ts'
import { type Currency, type Money, moneyText, negate, parseMoney, plus, zero } from '../../domain/billing/money.ts'
import { roundTogether } from '../../domain/billing/split.ts'
import { exactTax, type TaxRate } from '../../domain/billing/tax-rate.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { add, rational, ZERO } from '../../domain/rational.ts'
import { orThrow } from '../../domain/refusal.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'
import type { CreditNote } from './credit-note.ts'

type NoteHead = { readonly id: string; readonly nowMs: InstantMs; readonly reason: string; readonly returned: Money }

/** The lines of a final document, read back from its record. */
export function creditableLines(currency: Currency, { lines, taxes }: InvoiceJson): readonly CreditableLine[] {
  const rates = new Map(taxes.map((tax) => [tax.key, rateOf(tax)]))
  const amount = (text: string) => orThrow(parseMoney(currency, text))
  return lines.map(({ line, net, tax, credits, taxRates = [] }) => {
    const own = taxRates.flatMap((key) => rates.get(key) ?? [])
    return { line, net: amount(net), tax: amount(tax), credits: amount(credits), taxRates: own }
  })
}

export type CreditableLine = Pick<InvoiceLine, 'line' | 'net' | 'tax' | 'credits' | 'taxRates'>

/**
 * A note as it is kept and answered: its lines are those of the document, with opposite signs and the place that they take back from;
 * seller and customer are the document's. It lacks the number alone.
 */
export function noteRecord(
  currency: Currency,
  of: InvoiceJson,
  note: CreditNote,
  { id, nowMs, reason, returned }: NoteHead,
): InvoiceRecord {
  const text = (amount: Money) => moneyText(currency, amount)
  const rates = new Map(creditableLines(currency, of).map(({ line, taxRates }) => [line, taxRates]))
  const nets = text(negate(note.net))
  const nothing = text(zero())
  const { seller, billTo, customer, subscription } = of
  return {
    ...{
      id,
      document: 'creditNote',
      kind: 'creditNote',
      status: 'paid',
      customer,
      subscription,
      currency: currency.code,
      invoice: of.id,
      reason,
    },
    ...{ closesAt: instantJson(nowMs), finalisedAt: instantJson(nowMs), dueAt: instantJson(nowMs), seller, billTo },
    lines: note.lines.map(({ line, net, tax }, at) => {
      const original = of.lines.find((each) => each.line === line)
      invariant(original !== undefined, 'a note is of lines of its document')
      const { kind, item, feature, plan, planVersion, from, to, taxRates } = original
      return {
        ...{ line: String(at + 1), kind },
        ...(item !== undefined && { item }),
        ...(feature !== undefined && { feature }),
        ...(plan !== undefined && planVersion !== undefined && { plan, planVersion }),
        ...{ from, to, amount: text(negate(net)), discount: nothing, credits: nothing, net: text(negate(net)), tax: text(negate(tax)) },
        ...(taxRates !== undefined && { taxRates }),
        adjusts: { invoice: of.id, line },
      }
    }),
    ...{ subtotal: nets, discount: nothing, credits: nothing, net: nets, taxes: taxesOf(note, rates, text), tax: text(negate(note.tax)) },
    ...(returned > 0n && { creditsReturned: text(returned) }),
    ...{ total: text(note.total), balanceApplied: nothing, due: nothing },
  }
}

/** Each line's tax over its rates, by what each would be of its net; then the sum of each rate. */
function taxesOf({ lines }: CreditNote, rates: ReadonlyMap<string, readonly TaxRate[]>, text: (amount: Money) => string) {
  const sums = new Map<string, { readonly rate: TaxRate; base: Money; amount: Money }>()
  for (const { line, net, tax } of lines) {
    const own = rates.get(line) ?? []
    const exact = own.map((rate) => exactTax(rate, net))
    const whole = exact.reduce(add, ZERO)
    const shares = exact.map(({ numerator, denominator }) =>
      whole.numerator === 0n ? ZERO : rational(tax * numerator * whole.denominator, denominator * whole.numerator),
    )
    const amounts = roundTogether(whole.numerator === 0n ? zero() : tax, shares)
    for (const [at, rate] of own.entries()) {
      const known = sums.get(rate.key) ?? { rate, base: zero(), amount: zero() }
      sums.set(rate.key, { rate, base: plus(known.base, net), amount: plus(known.amount, amounts[at] ?? zero()) })
    }
  }
  return [...sums.values()].map(({ rate: { key, name, percentNano, isInclusive }, base, amount }) => {
    return {
      key,
      name,
      percent: formatQuantity(percentNano),
      inclusive: isInclusive,
      base: text(negate(base)),
      amount: text(negate(amount)),
    }
  })
}

function rateOf({ key, name, percent, inclusive }: InvoiceJson['taxes'][number]): TaxRate {
  const percentNano = parseQuantity(percent)
  invariant(percentNano !== null, 'the percent of a rate is an exact decimal')
  return { key, name, percentNano, isInclusive: inclusive }
}
