import type { BilledBase, BilledItem, BilledPart, ItemKey } from '../../domain/billing/billed.ts'
import type { InstantMs } from '../../domain/identity.ts'
import type { BillingState } from './billing-state.ts'
import type { Draft } from './draft.ts'
import type { Closing } from './due.ts'
import type { CountedPart } from './plan-parts.ts'
import { billedAfter, type SettledLine } from './settle.ts'

/** A final line, and the item it was for. */
export type Remembered<C extends string = string> = { readonly of: Draft<C>['of']; readonly line: SettledLine<C> }

/** The fees that may still be given back: those for time that is not closed yet. */
export function feesAfter<C extends string>(
  state: BillingState<C>,
  { usageToMs }: Closing,
  remembered: readonly Remembered<C>[],
  invoice: string | null,
): readonly BilledBase<C>[] {
  const after = remembered.flatMap(({ of, line }) => (of.kind === 'base' ? [{ ...of.fee, billed: billedAfter(line, invoice) }] : []))
  const changed = new Set(after.map(identityOf))
  const kept = state.baseFees.filter((fee) => !changed.has(identityOf(fee)))
  return [...kept, ...after].filter(({ period }) => period.startMs < period.endMs && period.endMs > usageToMs)
}

/**
 * The parts that later documents count again: those of the current period, and those whose late window was still open just now. The
 * others are closed.
 */
export function partsAfter<C extends string>(
  state: BillingState<C>,
  { usageToMs }: Closing,
  remembered: readonly Remembered<C>[],
  nowMs: InstantMs,
  invoice: string | null,
): { readonly open: readonly BilledPart<C>[]; readonly closed: readonly BilledPart<C>[] } {
  const items = new Map<CountedPart<C>, Map<ItemKey, BilledItem<C>>>()
  for (const { of, line } of remembered) {
    if (of.kind !== 'part') continue
    const ofPart = items.get(of.part) ?? new Map(of.part.before?.items ?? [])
    const quantityNano = (ofPart.get(of.item)?.quantityNano ?? 0n) + (line.quantityNano ?? 0n)
    items.set(of.part, ofPart.set(of.item, { quantityNano, billed: billedAfter(line, invoice) }))
  }
  const counted = [...items].map(([{ plan, cell, period }, ofPart]): BilledPart<C> => {
    return { plan: plan.plan, planVersion: plan.version, cell, period, countedAtMs: nowMs, cutOff: state.cutOff, items: ofPart }
  })
  const recounted = new Set([...items.keys()].map(({ before }) => before))
  const kept = state.parts.filter((part) => !recounted.has(part))
  const isOpen = ({ period, countedAtMs }: BilledPart<C>) =>
    period.endMs > usageToMs || countedAtMs < period.endMs + state.settings.lateWindowMs
  const { open = [], closed = [] } = Object.groupBy([...kept, ...counted], (part) => (isOpen(part) ? 'open' : 'closed'))
  return { open, closed }
}

function identityOf<C extends string>({ plan, planVersion, period }: BilledBase<C>): string {
  return `${planVersion} ${period.startMs} ${plan}`
}
