import type { FeatureKey, InstantMs, Period, SubscriptionId } from '../../domain/identity.ts'

/**
 * The parts of a period in which a subscription bills the usage of a feature. When several subscriptions charge for it, usage at
 * an instant is billed by the one in force then that started first, then by id: each event is on one line and not on two.
 */
export function ownStretches(self: Seniority, siblings: readonly Sibling[], feature: FeatureKey, period: Period): OwnStretches {
  let stretches: readonly Period[] = [period]
  const billedBy: SubscriptionId[] = []
  for (const sibling of siblings) {
    if (!isSenior(sibling, self)) continue
    const taken = sibling.charging.filter((each) => each.feature === feature && overlaps(each.period, period))
    if (taken.length > 0) billedBy.push(sibling.id)
    for (const each of taken) stretches = stretches.flatMap((stretch) => without(stretch, each.period))
  }
  return { stretches, billedBy }
}

export type OwnStretches = { readonly stretches: readonly Period[]; readonly billedBy: readonly SubscriptionId[] }

export type Seniority = { readonly id: SubscriptionId; readonly startMs: InstantMs }

/** Another subscription of the customer, and when it is in force on a plan that charges for a feature. */
export type Sibling = Seniority & { readonly charging: readonly { readonly feature: FeatureKey; readonly period: Period }[] }

function isSenior(sibling: Seniority, self: Seniority): boolean {
  return sibling.startMs < self.startMs || (sibling.startMs === self.startMs && sibling.id < self.id)
}

/** What is left of a stretch: nothing, one stretch or two. */
export function without(stretch: Period, taken: Period): readonly Period[] {
  if (!overlaps(stretch, taken)) return [stretch]
  const before = { startMs: stretch.startMs, endMs: taken.startMs }
  const after = { startMs: taken.endMs, endMs: stretch.endMs }
  return [before, after].filter(({ startMs, endMs }) => startMs < endMs)
}

export function overlaps(left: Period, right: Period): boolean {
  return left.startMs < right.endMs && right.startMs < left.endMs
}
