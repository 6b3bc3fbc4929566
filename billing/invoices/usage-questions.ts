import type { CutOff } from '../../domain/billing/billed.ts'
import type { Charge } from '../../domain/catalog/plan.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import type { BillingState } from '../steps/billing-state.ts'
import { type CountedPart, partsDue } from '../steps/plan-parts.ts'
import { countedOf } from '../steps/price-parts.ts'

/**
 * All usage that the next decision needs, before it is made, so that a run reads it for a whole page of subscriptions at once. No
 * question depends on an answer.
 */
export function usageQuestions<C extends string>(state: BillingState<C>, nowMs: InstantMs): readonly UsageQuestion[] {
  return questionsOf(state, partsDue(state, nowMs))
}

export function questionsOf<C extends string>(state: BillingState<C>, parts: readonly CountedPart<C>[]): readonly UsageQuestion[] {
  return parts.flatMap((part) =>
    part.plan.charges.flatMap((charge) => {
      const { segments, stretchesUpTo } = countedOf(state, part, charge)
      const asked = segments.map(({ endMs }) => stretchesUpTo(endMs)).filter((stretches) => stretches.length > 0)
      return asked.map((stretches) => ({ charge, stretches, cutOff: state.cutOff }))
    }),
  )
}

export type UsageQuestion = { readonly charge: Charge; readonly stretches: readonly Period[]; readonly cutOff: CutOff }
