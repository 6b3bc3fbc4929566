import { invariant, unreachable } from '../base/invariant.ts'
import type { RatedLine } from '../domain/billing/rated-line.ts'
import type { Price, PriceTier } from '../domain/catalog/price.ts'
import { formatQuantity, NANO, parseQuantity, powerOfTen } from '../domain/decimal.ts'
import { AMOUNT_FRACTION_DIGITS_MAX, parseAmount } from '../domain/money.ts'
import { add, formatRational, type Rational, rational, ZERO } from '../domain/rational.ts'

/**
 * Prices a quantity in nano units under a price that `validatePrice` let through. A quantity below zero, which
 * corrections can leave behind, costs what zero costs: usage is never a credit.
 */
export function rate(price: Price, quantityNano: bigint): RatedCharge {
  return rateExact(price, { numerator: quantityNano, denominator: 1n })
}

/** The same for a quantity that may not be a whole number of nano units, such as a part's quantity scaled to its cell. */
export function rateExact(price: Price, quantityNano: Rational): RatedCharge {
  const steps = stepsOf(price, quantityNano.numerator < 0n ? ZERO : quantityNano)
  return { exact: steps.reduce((sum, step) => add(sum, step.exact), ZERO), lines: steps.map((step) => step.line) }
}

/** What a quantity costs, not yet rounded: the sum of its lines. */
export type RatedCharge = { readonly exact: Rational; readonly lines: readonly RatedLine[] }

type Step = { readonly exact: Rational; readonly line: RatedLine }

function stepsOf(price: Price, quantityNano: Rational): readonly Step[] {
  if (quantityNano.numerator === 0n && !(price.model !== 'flat' && price.flatAtZero)) return []
  switch (price.model) {
    case 'flat':
      return [step(quantityNano, price.per, price)]
    case 'package':
      return [step(whole(packagesDue(price, quantityNano) * NANO), undefined, { unitAmount: price.amount })]
    case 'tiered':
      return graduatedSteps(price.tiers, price.per, quantityNano)
    case 'volume':
    case 'stairstep': {
      // The two models differ here: all units at the price of their tier, or one amount for the whole tier.
      const index = price.tiers.findIndex((tier) => tier.upTo === null || isUpTo(quantityNano, quantityOf(tier.upTo)))
      return [step(quantityNano, price.per, tierAt(price.tiers, index), index + 1)]
    }
    default:
      return unreachable(price)
  }
}

function packagesDue(price: Price & { readonly model: 'package' }, { numerator, denominator }: Rational): bigint {
  const size = quantityOf(price.packageSize) * denominator
  const billable = numerator - quantityOf(price.freeUnits ?? '0') * denominator
  const begun = billable <= 0n ? 0n : (billable + size - 1n) / size
  return begun === 0n && price.flatAtZero ? 1n : begun
}

/** Each tier prices the units that fall into it. */
function graduatedSteps(tiers: readonly PriceTier[], per: string | undefined, quantityNano: Rational): readonly Step[] {
  const steps: Step[] = []
  let belowNano = 0n
  for (const [index, tier] of tiers.entries()) {
    const upToNano = tier.upTo === null ? null : quantityOf(tier.upTo)
    const isLast = upToNano === null || isUpTo(quantityNano, upToNano)
    steps.push(step(add(isLast ? quantityNano : whole(upToNano), whole(-belowNano)), per, tier, index + 1))
    if (isLast) break
    belowNano = upToNano
  }
  return steps
}

type Amounts = { readonly unitAmount?: string; readonly flatAmount?: string }

/** Multiplies first and divides once. The nano of quantity and block cancel out; the pico of the amounts stays in the denominator. */
function step(quantityNano: Rational, per: string | undefined, { unitAmount, flatAmount }: Amounts, tier?: number): Step {
  const { numerator, denominator } = quantityNano
  const blockNano = quantityOf(per ?? '1') * denominator
  const exact = rational(numerator * amountOf(unitAmount) + amountOf(flatAmount) * blockNano, blockNano * PICO)
  return {
    exact,
    line: {
      ...(tier !== undefined && { tier }),
      quantity: denominator === 1n ? formatQuantity(numerator) : formatRational(rational(numerator, denominator * NANO)),
      ...(unitAmount !== undefined && { unitAmount }),
      ...(flatAmount !== undefined && { flatAmount }),
      exact: formatRational(exact),
    },
  }
}

const PICO = powerOfTen(AMOUNT_FRACTION_DIGITS_MAX)

function whole(nano: bigint): Rational {
  return { numerator: nano, denominator: 1n }
}

function isUpTo({ numerator, denominator }: Rational, boundNano: bigint): boolean {
  return numerator <= boundNano * denominator
}

function amountOf(amount: string | undefined): bigint {
  const pico = parseAmount(amount ?? '0')
  invariant(pico !== null, `amounts of a validated price are exact, this one is '${amount}'`)
  return pico
}

function quantityOf(quantity: string): bigint {
  const nano = parseQuantity(quantity)
  invariant(nano !== null, `quantities of a validated price are exact, this one is '${quantity}'`)
  return nano
}

function tierAt(tiers: readonly PriceTier[], index: number): PriceTier {
  const tier = tiers[index]
  invariant(tier !== undefined, 'the last tier of a validated price is open')
  return tier
}
