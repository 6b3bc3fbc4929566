import type { BilledBase, ItemKey } from '../../domain/billing/billed.ts'
import type { Money } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { Period } from '../../domain/identity.ts'
import type { CountedPart } from './plan-parts.ts'
import type { PricedLine } from './settle.ts'

/** A line, and what is remembered of it once it is final. */
export type Draft<C extends string = string> = { readonly line: PricedLine<C>; readonly of: DraftOf<C> }

type DraftOf<C extends string> =
  /** The fee as it stands after the line: without a stretch when all of it was given back. */
  | { readonly kind: 'base'; readonly fee: BilledBase<C> }
  | { readonly kind: 'part'; readonly part: CountedPart<C>; readonly item: ItemKey }
  | { readonly kind: 'commitment' | 'manual' }

/** Base fees, returned base fees, usage, true-ups, and last the adjustments of earlier lines. */
export function inDocumentOrder<C extends string>(drafts: readonly Draft<C>[]): readonly Draft<C>[] {
  return drafts.toSorted((a, b) => rankOf(a) - rankOf(b) || a.line.period.startMs - b.line.period.startMs)
}

function rankOf<C extends string>({ line: { kind, before } }: Draft<C>): number {
  const late = before === null || kind === 'unused' ? 0 : RANKS.length
  return late + RANKS.indexOf(kind)
}

const RANKS: readonly PricedLine['kind'][] = ['base', 'unused', 'usage', 'adjustment', 'trueUp', 'manual']

/** The default head of a plan's line. */
export function headOf<C extends string>(
  { plan, shown }: { readonly plan: PlanVersion; readonly shown: Period },
  item: string | null,
  kind: PricedLine<C>['kind'],
  amount: Money<C>,
): Omit<PricedLine<C>, 'before' | 'costs' | 'taxRates'> {
  return {
    ...{ kind, item, amount, feature: null, plan: plan.plan, planVersion: plan.version, period: shown },
    ...{ quantityNano: null, exact: null, tiers: null, adjusts: null, billedBy: [], isShown: amount !== 0n },
  }
}
