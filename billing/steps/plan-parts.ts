import type { BilledPart } from '../../domain/billing/billed.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import type { BillingState } from './billing-state.ts'
import { type Closing, closingDue, thresholdClosing } from './due.ts'
import { planOfBilled, type ServicePart, serviceParts } from './service-parts.ts'

/** The parts that the next document counts, if one can be made final, or that a threshold looks at. */
export function partsDue<C extends string>(state: BillingState<C>, nowMs: InstantMs): readonly CountedPart<C>[] {
  const closing = closingDue(state, nowMs)
  if (closing !== null) return partsToCount(state, closing)
  return thresholdClosing(state, nowMs) === null ? [] : partsSoFar(state, nowMs)
}

/**
 * The parts whose usage a document counts: those of the periods that it closes, and earlier ones whose late window was open when
 * they were last counted.
 */
export function partsToCount<C extends string>(state: BillingState<C>, closing: Closing): readonly CountedPart<C>[] {
  const fromMs = state.cursor.usageBilledToMs
  const closed = partsIn(state, { startMs: fromMs, endMs: closing.usageToMs }).map((part) => ({ ...part, shown: part.period }))
  if (!closing.recounts) return closed
  return [...closed, ...partsSince(state, 0 as InstantMs)]
}

/** The parts that were billed before and end after an instant, to be counted again. */
export function partsSince<C extends string>(state: BillingState<C>, sinceMs: InstantMs): readonly CountedPart<C>[] {
  return state.parts
    .filter(({ period }) => period.endMs <= state.cursor.usageBilledToMs && period.endMs > sinceMs)
    .map((before) => ({ ...before, plan: planOfBilled(state, before), before, shown: before.period }))
}

/** A part and what was billed of it; null when it is counted for the first time. */
export type CountedPart<C extends string = string> = ServicePart & {
  readonly before: BilledPart<C> | null
  /** The stretch that its lines show: all of the part, or the part so far. */
  readonly shown: Period
}

/** The parts of the current period, which a threshold bills so far. */
export function partsSoFar<C extends string>(state: BillingState<C>, nowMs: InstantMs): readonly CountedPart<C>[] {
  return partsIn(state, { startMs: state.cursor.usageBilledToMs, endMs: nowMs }).map((part) => {
    return { ...part, shown: { startMs: part.period.startMs, endMs: Math.min(part.period.endMs, nowMs) as InstantMs } }
  })
}

function partsIn<C extends string>(state: BillingState<C>, stretch: Period): readonly Omit<CountedPart<C>, 'shown'>[] {
  return serviceParts(state, stretch).map((part) => ({ ...part, before: billedBefore(state.parts, part) }))
}

/** A change may have made a part end earlier than when it was billed so far; its begin does not move. */
function billedBefore<C extends string>(
  parts: readonly BilledPart<C>[],
  { plan, period }: Pick<CountedPart<C>, 'plan' | 'period'>,
): BilledPart<C> | null {
  return (
    parts.find((each) => each.plan === plan.plan && each.planVersion === plan.version && each.period.startMs === period.startMs) ?? null
  )
}
