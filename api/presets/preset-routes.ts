import { Type } from 'typebox'
import type { FeatureStore } from '../../adapters/database/features/feature-store.ts'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import { orThrow } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, KeySchema } from '../../schemas/http/common.ts'
import { AI_FEATURES, AI_METERS } from './ai-preset.ts'

export type PresetRoutesDeps = {
  readonly meters: Pick<MeterStore, 'get' | 'put'>
  readonly features: Pick<FeatureStore, 'get' | 'put'>
}

/** Meters and features that many products have alike, in one call; what is there already stays as it is. */
export function presetRoutes({ meters, features }: PresetRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/presets/ai', { config: { scope: 'admin' }, schema: PUT_AI_PRESET }, async (request) => {
      const { tenant } = request.principal
      const created: string[] = []
      for (const [key, definition] of AI_METERS) {
        if ((await meters.get(tenant, key)) !== null) continue
        orThrow(await meters.put(tenant, key, definition))
        created.push(`meters/${key}`)
      }
      for (const feature of AI_FEATURES) {
        if ((await features.get(tenant, feature.key)) !== null) continue
        orThrow(await features.put(tenant, feature))
        created.push(`features/${feature.key}`)
      }
      return { meters: AI_METERS.map(([key]) => key), features: AI_FEATURES.map(({ key }) => key), created }
    })
  }
}

const PUT_AI_PRESET = {
  tags: ['presets'],
  operationId: 'putAiPreset',
  summary: 'Make the meters and features of an AI product: ai_tokens, ai_calls, ai_cost',
  description: 'May be repeated; a meter or feature of that key that is there already stays as it is.',
  response: {
    200: Type.Object({
      meters: Type.Array(KeySchema),
      features: Type.Array(KeySchema),
      created: Type.Array(Type.String(), { description: 'What this call made', examples: [['meters/ai_tokens']] }),
    }),
    ...REFUSALS,
  },
}
