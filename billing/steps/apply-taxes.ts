import { zip } from '../../base/zip.ts'
import type { TaxSum } from '../../domain/billing/invoice.ts'
import { type Money, plus, sum, zero } from '../../domain/billing/money.ts'
import { roundTogether } from '../../domain/billing/split.ts'
import { exactTax, type TaxRate, taxRateIdentity } from '../../domain/billing/tax-rate.ts'
import { add, roundHalfUp, ZERO } from '../../domain/rational.ts'

/**
 * Each rate applies once to the sum of its lines' nets, rounded half up, and is then split over these lines. Rates do not
 * compound. `onTop` is what the taxes add to the nets: taxes inside the prices add nothing.
 */
export function applyTaxes<C extends string, Line extends Taxable<C>>(lines: readonly Line[]): Taxed<C, Line> {
  const rates = new Map(lines.flatMap(({ taxRates }) => taxRates.map((rate) => [taxRateIdentity(rate), rate] as const)))
  const taxes: TaxSum<C>[] = []
  let taxed: readonly (Line & { readonly tax: Money<C> })[] = lines.map((line) => ({ ...line, tax: zero<C>() }))
  for (const [identity, rate] of rates) {
    const isTaxed = ({ taxRates }: Line) => taxRates.some((each) => taxRateIdentity(each) === identity)
    const exact = lines.map((line) => (isTaxed(line) ? exactTax(rate, line.net) : ZERO))
    const amount = roundHalfUp(exact.reduce(add, ZERO), 0) as Money<C>
    taxed = zip(taxed, roundTogether(amount, exact)).map(([line, share]) => ({ ...line, tax: plus(line.tax, share) }))
    taxes.push({ rate, base: sum(lines.filter(isTaxed).map(({ net }) => net)), amount })
  }
  const onTop = sum(taxes.filter(({ rate }) => !rate.isInclusive).map(({ amount }) => amount))
  return { taxes, lines: taxed, onTop }
}

export type Taxable<C extends string = string> = { readonly net: Money<C>; readonly taxRates: readonly TaxRate[] }

export type Taxed<C extends string, Line> = {
  readonly taxes: readonly TaxSum<C>[]
  readonly lines: readonly (Line & { readonly tax: Money<C> })[]
  readonly onTop: Money<C>
}

/** `defaults` are the customer's rates, else the tenant's; a charge may name its own. Exempt customers are not taxed. */
export type Taxes = {
  readonly rates: ReadonlyMap<string, TaxRate>
  readonly defaults: readonly string[]
  readonly isExempt: boolean
}

/** Rates are looked up once and then kept with what was billed. An exempt customer has none. */
export function taxRatesOf({ rates, defaults, isExempt }: Taxes, keys: readonly string[] | undefined): readonly TaxRate[] {
  return isExempt ? [] : (keys ?? defaults).flatMap((key) => rates.get(key) ?? [])
}
