import { invariant } from '../../base/invariant.ts'
import type { BilledBase } from '../../domain/billing/billed.ts'
import { type Currency, lesser, type Money, minus, negate, roundMoney, zero } from '../../domain/billing/money.ts'
import { shareOfTime } from '../../domain/billing/share-of-time.ts'
import { PRORATION_DEFAULT } from '../../domain/catalog/plan.ts'
import { powerOfTen } from '../../domain/decimal.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import { AMOUNT_FRACTION_DIGITS_MAX, parseAmount } from '../../domain/money.ts'
import { rational } from '../../domain/rational.ts'
import type { Life } from './billing-state.ts'
import { overlaps, without } from './own-stretches.ts'
import { type ServicePart, serviceParts } from './service-parts.ts'

/**
 * The base fees to bill or give back, so that fees tile the served time. A fee billed for time that is not served on that plan
 * version after all is given back; served time that is not billed yet is billed.
 */
export function reconcileBaseFees<C extends string>(
  life: Life,
  currency: Currency<C>,
  asked: readonly BilledBase<C>[],
  due: BaseFeesDue,
): BaseFeeChanges<C> {
  const parts = feeParts(life, { startMs: due.fromMs, endMs: due.toMs }).filter((part) => isDue(part, due))
  const served = feeParts(life, spanOf(asked, due))
  const unused: UnusedFee<C>[] = []
  const kept: BilledBase<C>[] = []
  for (const fee of asked) {
    const part = served.find((each) => isOf(fee, each) && holds(each.period, fee.period.startMs))
    const endMs = Math.min(part?.period.endMs ?? fee.period.startMs, fee.period.endMs) as InstantMs
    const rest = { startMs: endMs, endMs: fee.period.endMs }
    if (rest.startMs === rest.endMs) kept.push(fee)
    else unused.push({ fee, rest, amount: negate(minus(fee.billed.amount, servedCost(life, currency, fee, endMs))) })
  }
  const remaining = [...kept, ...unused.map(({ fee, rest }) => ({ ...fee, period: { ...fee.period, endMs: rest.startMs } }))]
  const wanted = parts.flatMap((part) => {
    const covered = remaining.filter((fee) => isOf(fee, part)).map(({ period }) => period)
    const open = covered.reduce<readonly Period[]>((left, period) => left.flatMap((each) => without(each, period)), [part.period])
    return open.map((period) => ({ part, period, amount: baseCost(life, currency, part, period) }))
  })
  return { unused, wanted, kept }
}

/** One plan version in one cell has one fee: a change of its charges' prices alone splits the usage and not the fee. */
export function feeParts(life: Life, stretch: Period): readonly ServicePart[] {
  const parts: ServicePart[] = []
  for (const part of serviceParts(life, stretch)) {
    const before = parts.at(-1)
    const isOne =
      before?.plan.plan === part.plan.plan &&
      before.plan.version === part.plan.version &&
      before.cell.startMs === part.cell.startMs &&
      before.cell.endMs === part.cell.endMs
    if (isOne) parts[parts.length - 1] = { ...before, period: { ...before.period, endMs: part.period.endMs } }
    else parts.push(part)
  }
  return parts
}

/** `closesAtMs`: fees in arrears are due for parts that have ended by then; fees in advance for parts that begin before `toMs`. */
export type BaseFeesDue = { readonly fromMs: InstantMs; readonly closesAtMs: InstantMs; readonly toMs: InstantMs }

export type BaseFeeChanges<C extends string = string> = {
  readonly unused: readonly UnusedFee<C>[]
  readonly wanted: readonly WantedFee<C>[]
  readonly kept: readonly BilledBase<C>[]
}

/** `amount` is below zero: the billed fee, less the cost of the time until `rest`. */
export type UnusedFee<C extends string = string> = { readonly fee: BilledBase<C>; readonly rest: Period; readonly amount: Money<C> }
export type WantedFee<C extends string = string> = { readonly part: ServicePart; readonly period: Period; readonly amount: Money<C> }

/** The base fee of a part, or of a stretch of one. Without proration, a plan's fee is due once per cell. */
export function baseCost<C extends string>(life: Life, currency: Currency<C>, part: ServicePart, stretch: Period = part.period): Money<C> {
  const { plan, cell, period } = part
  if (plan.baseFee === null) return zero()
  const fee = moneyOfPlan(currency, plan.baseFee)
  if (isProrated(part)) return shareOfTime(fee, cell, stretch)
  const first = serviceParts(life, cell).find((each) => each.plan.plan === plan.plan && each.cell.startMs === cell.startMs)
  return first?.period.startMs === period.startMs && stretch.startMs === period.startMs ? fee : zero()
}

/** A fee with more digits than its currency is rounded before it is shared out, so that a whole period costs what the plan shows. */
export function moneyOfPlan<C extends string>(currency: Currency<C>, amount: string): Money<C> {
  const pico = parseAmount(amount)
  invariant(pico !== null, `amounts of a plan are exact, this one is '${amount}'`)
  return roundMoney(currency, rational(pico, powerOfTen(AMOUNT_FRACTION_DIGITS_MAX)))
}

/** The single period of a plan without an interval has no end to share its fee by. */
function isProrated({ plan }: Pick<ServicePart, 'plan'>): boolean {
  return plan.interval !== 'once' && (plan.proration ?? PRORATION_DEFAULT).baseFee === 'exact'
}

function servedCost<C extends string>(life: Life, currency: Currency<C>, { cell, period, billed, ...of }: BilledBase<C>, endMs: InstantMs) {
  const plan = life.planVersions.find((each) => each.plan === of.plan && each.version === of.planVersion)
  if (plan === undefined || !isProrated({ plan })) return billed.amount
  const fee = moneyOfPlan(currency, plan.baseFee ?? '0')
  return lesser(billed.amount, shareOfTime(fee, cell, { startMs: period.startMs, endMs }))
}

function isDue({ plan, period }: ServicePart, { fromMs, closesAtMs, toMs }: BaseFeesDue): boolean {
  if (plan.baseFee === null || period.startMs < fromMs) return false
  return plan.baseFeeTiming === 'arrears' ? period.endMs <= closesAtMs : period.startMs < toMs
}

function isOf<C extends string>(fee: BilledBase<C>, { plan, cell }: ServicePart): boolean {
  return fee.plan === plan.plan && fee.planVersion === plan.version && overlaps(fee.cell, cell)
}

function holds({ startMs, endMs }: Period, atMs: InstantMs): boolean {
  return startMs <= atMs && atMs < endMs
}

function spanOf<C extends string>(asked: readonly BilledBase<C>[], { fromMs, toMs }: BaseFeesDue): Period {
  const starts = asked.map(({ period }) => period.startMs)
  const ends = asked.map(({ period }) => period.endMs)
  return { startMs: Math.min(fromMs, ...starts) as InstantMs, endMs: Math.max(toMs, ...ends) as InstantMs }
}
