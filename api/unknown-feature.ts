import type { FeatureKey } from '../domain/identity.ts'
import { type Refusal, refuse } from '../domain/refusal.ts'

export function unknownFeature(feature: FeatureKey): Refusal {
  const detail = `There is no feature ${feature}; create it with PUT /v1/features/${encodeURIComponent(feature)}.`
  return refuse('unknown_feature', detail, { status: 404 })
}
