import type { FeatureKey, SubscriptionId } from '../../domain/identity.ts'
import { isRefusal, type Outcome, type Refusal, refuse } from '../../domain/refusal.ts'

type Kind = 'meter' | 'product' | 'plan' | 'customer'

/** 404 for a key or id in the path. A key in a body that names nothing is a 400 of the same code. */
export function unknownKey(kind: Kind, key: string): Refusal {
  const detail = `There is no ${kind} ${key}; create it with PUT /v1/${kind}s/${encodeURIComponent(key)}.`
  return refuse(`unknown_${kind}`, detail, { status: 404 })
}

/** The catalog cannot know that the key was in the path. */
export function inPath<Value>(outcome: Outcome<Value>, kind: Kind, key: string): Outcome<Value> {
  return isRefusal(outcome) && outcome.code === `unknown_${kind}` ? unknownKey(kind, key) : outcome
}

export function unknownFeature(feature: FeatureKey): Refusal {
  const detail = `There is no feature ${feature}; create it with PUT /v1/features/${encodeURIComponent(feature)}.`
  return refuse('unknown_feature', detail, { status: 404 })
}

export function unknownSubscription(id: SubscriptionId) {
  return refuse('unknown_subscription', `There is no subscription ${id}; GET /v1/subscriptions?customer= lists a customer's.`, {
    status: 404,
  })
}
