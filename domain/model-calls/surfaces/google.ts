import type { Modalities, Modality } from '../canonical-usage.ts'
import { type Count, count, objectsOf, sum, text } from '../told-values.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/** Thoughts stand beside the candidates, and results of tools beside the prompt; cached is inside the prompt. */
export const googleGenerateContent: Surface = (usage, response) => {
  const cached = usage.cacheTokensDetails
  return [
    {
      provider: providerIn(response, 'gcp.gemini'),
      input: sum(count(usage.promptTokenCount), count(usage.toolUsePromptTokenCount)),
      output: count(usage.candidatesTokenCount ?? usage.responseTokenCount),
      cacheRead: count(usage.cachedContentTokenCount),
      ...(Array.isArray(cached) ? { cacheReadBy: byModality(cached) } : {}),
      reasoning: count(usage.thoughtsTokenCount),
      isReasoningBeside: true,
      inputBy: together(byModality(usage.promptTokensDetails), byModality(usage.toolUsePromptTokensDetails)),
      outputBy: byModality(usage.candidatesTokensDetails ?? usage.responseTokensDetails),
      words: { service_tier: tierOf(text(usage.trafficType)) ?? tierIn(response, usage) },
    },
  ]
}

/** Documents and what is not specified are text, which is what the others leave. */
function byModality(details: unknown): Modalities {
  const by: Partial<Record<Modality, Count>> = {}
  for (const { modality, tokenCount, tokens } of objectsOf(details)) {
    const name = MODALITY[String(modality).toLowerCase()]
    if (name !== undefined) by[name] = sum(by[name] ?? null, count(tokenCount ?? tokens))
  }
  return by
}

const MODALITY: Readonly<Record<string, Modality>> = { image: 'image', audio: 'audio', video: 'video' }

function together(left: Modalities, right: Modalities): Modalities {
  const both = (name: Modality): Count => sum(left[name] ?? null, right[name] ?? null)
  return { image: both('image'), audio: both('audio'), video: both('video') }
}

/** `ON_DEMAND_PRIORITY` is `priority`, `PROVISIONED_THROUGHPUT` is `provisioned`. */
function tierOf(trafficType: string | null): string | null {
  const told = trafficType?.toLowerCase() ?? null
  if (told === null || told === 'traffic_type_unspecified') return null
  return told === 'provisioned_throughput' ? 'provisioned' : told.replace(/^on_demand_/, '')
}

/** The same rules under other names. Look-ups on a map are no searches. */
export const googleInteractions: Surface = (usage, response) => {
  const searches = objectsOf(usage.grounding_tool_count).filter(({ type }) => type === 'google_search')
  const cached = usage.cached_tokens_by_modality
  return [
    {
      provider: providerIn(response, 'gcp.gemini'),
      input: sum(count(usage.total_input_tokens), count(usage.total_tool_use_tokens)),
      output: count(usage.total_output_tokens),
      cacheRead: count(usage.total_cached_tokens),
      ...(Array.isArray(cached) ? { cacheReadBy: byModality(cached) } : {}),
      reasoning: count(usage.total_thought_tokens),
      isReasoningBeside: true,
      inputBy: together(byModality(usage.input_tokens_by_modality), byModality(usage.tool_use_tokens_by_modality)),
      outputBy: byModality(usage.output_tokens_by_modality),
      quantities: { web_search_requests: sum(...searches.map((search) => count(search.count))) },
      words: { service_tier: tierIn(response, usage) },
    },
  ]
}
