import { invariant } from '../../base/invariant.ts'
import { END_OF_TIME_MS, type InstantMs, type ProductKey } from '../identity.ts'
import type { PlanVersion } from './plan.ts'
import type { Subscription } from './subscription.ts'

/** A half-open stretch of time in which a subscription gives a product. */
export type ProductStretch = { readonly product: ProductKey; readonly startMs: InstantMs; readonly endMs: InstantMs }

/**
 * The stretches from `fromMs` on, in order of time; adjoining phases on one product are one stretch. `planVersions` holds the
 * versions of the subscription's phases.
 */
export function productStretches(
  subscription: Pick<Subscription, 'phases' | 'endMs'>,
  planVersions: readonly Pick<PlanVersion, 'plan' | 'version' | 'product'>[],
  fromMs: InstantMs,
): readonly ProductStretch[] {
  const stretches: ProductStretch[] = []
  for (const { plan, planVersion, ...phase } of subscription.phases) {
    const version = planVersions.find((each) => each.plan === plan && each.version === planVersion)
    invariant(version !== undefined, `version ${planVersion} of plan ${plan} comes with the subscription`)
    const startMs = Math.max(phase.startMs, fromMs) as InstantMs
    const endMs = Math.min(phase.endMs ?? END_OF_TIME_MS, subscription.endMs ?? END_OF_TIME_MS) as InstantMs
    if (startMs >= endMs) continue
    const last = stretches.at(-1)
    if (last?.product === version.product && last.endMs === startMs) stretches[stretches.length - 1] = { ...last, endMs }
    else stretches.push({ product: version.product, startMs, endMs })
  }
  return stretches
}

/** The stretches that a change adds, without those that were given before. */
export function addedStretches(before: readonly ProductStretch[], after: readonly ProductStretch[]): readonly ProductStretch[] {
  return after.filter(
    ({ product, startMs, endMs }) => !before.some((each) => each.product === product && each.startMs <= startMs && endMs <= each.endMs),
  )
}
