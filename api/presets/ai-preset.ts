import type { Feature } from '../../domain/catalog/plan.ts'
import type { FeatureKey, MeterKey } from '../../domain/identity.ts'
import type { MeterDefinition } from '../../domain/metering/meter.ts'
import { MODEL_CALL_TYPE } from '../../domain/model-calls/model-call.ts'

const DIMENSIONS = { provider: 'provider', model: 'coalesce(model, response_model)', operation: 'operation' }
const OF_CALLS = { eventType: MODEL_CALL_TYPE, dimensions: DIMENSIONS }

/** What an AI product meters: tokens of both sides, calls, and what the calls cost in millionths of the cost currency. */
export const AI_METERS: readonly (readonly [MeterKey, MeterDefinition])[] = [
  ['ai_tokens' as MeterKey, { ...OF_CALLS, aggregation: 'sum', value: ['coalesce(input_tokens, 0)', 'coalesce(output_tokens, 0)'] }],
  ['ai_calls' as MeterKey, { ...OF_CALLS, aggregation: 'count', value: [] }],
  // A call without a cost counts for nothing here, and its sender is warned.
  ['ai_cost' as MeterKey, { ...OF_CALLS, aggregation: 'sum', value: ['cost_micros'] }],
]

export const AI_FEATURES: readonly Feature[] = [
  { key: 'ai_tokens' as FeatureKey, name: 'Tokens', type: 'metered', meter: 'ai_tokens' as MeterKey, filter: {}, unit: 'tokens' },
  { key: 'ai_calls' as FeatureKey, name: 'Model calls', type: 'metered', meter: 'ai_calls' as MeterKey, filter: {}, unit: 'calls' },
  { key: 'ai_cost' as FeatureKey, name: 'Cost of model calls', type: 'metered', meter: 'ai_cost' as MeterKey, filter: {}, unit: 'micros' },
]
