import { zip } from '../../base/zip.ts'
import type { Billed } from '../../domain/billing/billed.ts'
import { type Coupon, inOrderOfUse, type Reduction, reductionOf } from '../../domain/billing/coupon.ts'
import type { LineKind } from '../../domain/billing/invoice.ts'
import { type Money, minus, plus, sum, zero } from '../../domain/billing/money.ts'
import { split } from '../../domain/billing/split.ts'
import type { FeatureKey } from '../../domain/identity.ts'

/**
 * Applies coupons one after the other, those for named features first: each takes its percentage or amount off what is left of
 * its lines, rounded once, and the lines share it. Only first-time lines are reduced: a line that gives back or corrects carries
 * the reductions of the line that it corrects.
 */
export function applyCoupons<C extends string, Line extends Reducible<C>>(
  coupons: readonly Coupon<C>[],
  lines: readonly Line[],
): Reduced<C, Line> {
  const used: string[] = []
  let reduced: readonly (Line & Discounted<C>)[] = lines.map((line) => ({ ...line, discount: zero<C>(), reductions: [] }))
  for (const coupon of inOrderOfUse(coupons)) {
    const left = reduced.map((line) => (isReduced(line, coupon) ? minus(line.amount, line.discount) : zero<C>()))
    const off = reductionOf(coupon.reduction, sum(left))
    if (off > 0n) used.push(coupon.id)
    reduced = zip(reduced, split(off, left)).map(([line, share]) => {
      if (!isReduced(line, coupon)) return line
      const reduction: Reduction<C> = coupon.reduction.kind === 'percent' ? coupon.reduction : { kind: 'amount', amount: share }
      return { ...line, discount: plus(line.discount, share), reductions: [...line.reductions, reduction] }
    })
  }
  return { lines: reduced, used }
}

export type Reducible<C extends string = string> = {
  readonly kind: LineKind
  readonly feature: FeatureKey | null
  readonly amount: Money<C>
  /** What was billed before for the same item, which the line corrects. */
  readonly before: Billed<C> | null
}

/** A line of 0 keeps the percentages that apply to it, so that late usage is reduced as it would have been. */
type Discounted<C extends string> = { readonly discount: Money<C>; readonly reductions: readonly Reduction<C>[] }

export type Reduced<C extends string, Line> = {
  readonly lines: readonly (Line & Discounted<C>)[]
  /** Coupons that gave something: one of their uses is spent. */
  readonly used: readonly string[]
}

const REDUCED_KINDS: ReadonlySet<LineKind> = new Set(['base', 'usage', 'trueUp'])

function isReduced<C extends string>({ kind, feature, amount, before }: Reducible<C>, { features }: Coupon<C>): boolean {
  if (before !== null || amount < 0n || !REDUCED_KINDS.has(kind)) return false
  return features === null || (feature !== null && features.includes(feature))
}
