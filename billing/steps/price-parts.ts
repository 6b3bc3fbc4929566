import type { ItemKey } from '../../domain/billing/billed.ts'
import { type Credit, leftOf, pays } from '../../domain/billing/credit.ts'
import { type Currency, lesser, type Money, minus, roundMoney, zero } from '../../domain/billing/money.ts'
import { fractionOfCell, shareOfTime } from '../../domain/billing/share-of-time.ts'
import { type Charge, COUNTED_DEFAULT, PRORATION_DEFAULT } from '../../domain/catalog/plan.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import type { Rational } from '../../domain/rational.ts'
import { trueUp } from '../../rating/minimum.ts'
import { ratePart } from '../../rating/rate-part.ts'
import { type Cost, segmentsOf } from '../credits/burn.ts'
import { taxRatesOf } from './apply-taxes.ts'
import { baseCost, moneyOfPlan } from './base-fees.ts'
import type { BillingState, UsageOf } from './billing-state.ts'
import { type Draft, headOf } from './draft.ts'
import { ownStretches } from './own-stretches.ts'
import type { CountedPart } from './plan-parts.ts'
import type { ServicePart } from './service-parts.ts'
import type { PricedLine } from './settle.ts'

/**
 * The cost of a part's usage as of the cut-off, less what was billed for it: a line for each charge, and for true-ups to
 * minimums. Late usage is priced together with the usage before it, and never alone: tiers, packages, falling volume prices,
 * maximums and true-ups come out right however late usage arrives, also below zero.
 */
export function pricePart<C extends string>(
  state: BillingState<C>,
  part: CountedPart<C>,
  nowMs: InstantMs,
  usage: UsageOf,
): readonly Draft<C>[] {
  const { currency } = state
  const { minimum, charges } = part.plan
  const items = charges.flatMap((charge) => {
    const priced = priceCharge(state, part, charge, nowMs, usage)
    if (charge.minimum === undefined) return [priced]
    const missing = trueUp(shareOf(currency, charge.minimum, part), [priced.target])
    return [priced, trueUpItem(state, part, `minimum:${charge.key}`, charge, missing, nowMs)]
  })
  if (minimum !== undefined) {
    const counts = minimum.counts ?? COUNTED_DEFAULT
    const base = counts.includes('base') ? [baseCost(state, currency, part)] : []
    const used = counts.includes('usage') ? items.map(({ target }) => target) : []
    const missing = trueUp(shareOf(currency, minimum.amount, part), [...base, ...used])
    items.push(trueUpItem(state, part, 'minimum', null, missing, nowMs))
  }
  return items.map(({ item, line }) => ({ line, of: { kind: 'part', part, item } }))
}

/** `target` is the item's amount by now, including everything billed before. */
type PricedItem<C extends string> = { readonly item: ItemKey; readonly target: Money<C>; readonly line: PricedLine<C> }

function priceCharge<C extends string>(
  state: BillingState<C>,
  part: CountedPart<C>,
  charge: Charge,
  nowMs: InstantMs,
  usage: UsageOf,
): PricedItem<C> {
  const { currency, cutOff, taxes } = state
  const { item, billedBy, segments, stretchesUpTo } = countedOf(state, part, charge)
  const billed = part.before?.items.get(item)
  const priceUpTo = (endMs: InstantMs) => {
    const counted = stretchesUpTo(endMs)
    const quantityNano = counted.length === 0 ? 0n : usage(charge, counted, cutOff)
    return { quantityNano, ...chargeTarget(currency, part, charge, quantityNano) }
  }
  const { quantityNano, exact, tiers, target } = priceUpTo(part.period.endMs)
  const amount = minus(target, billed?.billed.amount ?? zero())
  const newNano = quantityNano - (billed?.quantityNano ?? 0n)
  const isAgain = billed !== undefined
  const taxRates = billed?.billed.taxRates ?? taxRatesOf(taxes, charge.taxRates)
  const line: PricedLine<C> = {
    ...headOf(part, charge.key, isAgain ? 'adjustment' : 'usage', amount),
    ...{ feature: charge.feature, quantityNano: newNano, exact, taxRates, billedBy },
    tiers: isAgain ? null : tiers,
    adjusts: billed?.billed.line ?? null,
    before: billed?.billed ?? null,
    costs: isAgain ? [{ atMs: nowMs, amount }] : costsOver(segments, (endMs) => priceUpTo(endMs).target, target),
    isShown: amount !== 0n || newNano !== 0n || (!isAgain && billedBy.length > 0),
  }
  return { item, target, line }
}

/**
 * What a charge counts of a part: the stretches that this subscription bills, and where a credit begins or ends, the instants at
 * which the cost so far is needed too. A part that is counted again has no segments.
 */
export function countedOf<C extends string>(state: BillingState<C>, part: CountedPart<C>, charge: Charge): Counted {
  const { subscription, siblings, purse } = state
  const item: ItemKey = `charge:${charge.key}`
  const { stretches, billedBy } = ownStretches(subscription, siblings, charge.feature, part.period)
  const mayPay = (credit: Credit<C>) => leftOf(credit) > 0n && pays(credit, { kind: 'usage', feature: charge.feature })
  const isAgain = part.before?.items.has(item) === true
  const segments = isAgain ? [part.period] : segmentsOf(purse.credits.filter(mayPay), part.period)
  return { item, billedBy, segments, stretchesUpTo: (endMs) => stretches.flatMap((stretch) => upTo(stretch, endMs)) }
}

type Counted = {
  readonly item: ItemKey
  readonly billedBy: PricedLine['billedBy']
  readonly segments: readonly Period[]
  stretchesUpTo(endMs: InstantMs): readonly Period[]
}

/** Usage never makes a part cost less than zero, and a maximum caps it, scaled down when the tiers are. */
export function chargeTarget<C extends string>(currency: Currency<C>, part: ServicePart, charge: Charge, quantityNano: bigint) {
  const { tiers: table } = part.plan.proration ?? PRORATION_DEFAULT
  const fraction = fractionOf(part)
  const { exact, lines } = ratePart(charge.price, quantityNano, fraction, table)
  const isScaled = table === 'scaled' && fraction.numerator !== fraction.denominator
  const rounded = roundMoney(currency, exact)
  const priced = { exact, tiers: 'tiers' in charge.price && !isScaled ? lines : null }
  if (charge.maximum === undefined) return { ...priced, target: rounded }
  const maximum = table === 'scaled' ? shareOf(currency, charge.maximum, part) : moneyOfPlan(currency, charge.maximum)
  return { ...priced, target: lesser(rounded, maximum) }
}

/** A segment costs the increase of the part's rounded cost, so that segments add up to the line. */
function costsOver<C extends string>(
  segments: readonly Period[],
  targetUpTo: (endMs: InstantMs) => Money<C>,
  target: Money<C>,
): readonly Cost<C>[] {
  let reached = zero<C>()
  return segments.map(({ startMs, endMs }, index) => {
    const next = index === segments.length - 1 ? target : targetUpTo(endMs)
    const amount = minus(next, reached)
    reached = next
    return { atMs: startMs, amount }
  })
}

function trueUpItem<C extends string>(
  { taxes }: BillingState<C>,
  part: CountedPart<C>,
  item: ItemKey,
  charge: Charge | null,
  target: Money<C>,
  nowMs: InstantMs,
): PricedItem<C> {
  const billed = part.before?.items.get(item)?.billed
  const taxRates = billed?.taxRates ?? taxRatesOf(taxes, charge?.taxRates)
  const amount = minus(target, billed?.amount ?? zero())
  const line: PricedLine<C> = {
    ...headOf(part, charge?.key ?? 'minimum', 'trueUp', amount),
    ...{ feature: charge?.feature ?? null, taxRates, adjusts: billed?.line ?? null },
    before: billed ?? null,
    costs: [{ atMs: billed === undefined ? ((part.period.endMs - 1) as InstantMs) : nowMs, amount }],
  }
  return { item, target, line }
}

/** A minimum's share of the part. */
function shareOf<C extends string>(currency: Currency<C>, amount: string, { plan, cell, period }: ServicePart): Money<C> {
  const whole = moneyOfPlan(currency, amount)
  return plan.interval === 'once' ? whole : shareOfTime(whole, cell, period)
}

function fractionOf({ plan, cell, period }: ServicePart): Rational {
  return plan.interval === 'once' ? { numerator: 1n, denominator: 1n } : fractionOfCell(cell, period)
}

function upTo({ startMs, endMs }: Period, lastMs: InstantMs): readonly Period[] {
  return startMs >= lastMs ? [] : [{ startMs, endMs: Math.min(endMs, lastMs) as InstantMs }]
}
