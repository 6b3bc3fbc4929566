import type { Modalities, ToldUsage } from '../canonical-usage.ts'
import { count, type Json, objectOf, sum } from '../told-values.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/** Chat completions, and hosts that answer like them: cached, written, reasoning and predictions are inside the totals. */
export const openaiChat =
  (usual: string): Surface =>
  (usage, response) => [chatUsage(usage, response, usual)]

export function chatUsage(usage: Json, response: Json, usual: string | null): ToldUsage {
  const prompt = objectOf(usage.prompt_tokens_details)
  const completion = objectOf(usage.completion_tokens_details)
  return {
    provider: providerIn(response, usual),
    input: count(usage.prompt_tokens),
    output: count(usage.completion_tokens),
    cacheRead: count(prompt.cached_tokens),
    cacheWrite: count(prompt.cache_write_tokens),
    reasoning: count(completion.reasoning_tokens),
    inputBy: modalitiesIn(prompt),
    outputBy: modalitiesIn(completion),
    words: { service_tier: tierIn(response, usage) },
  }
}

export function modalitiesIn(details: Json): Modalities {
  return { image: count(details.image_tokens), audio: count(details.audio_tokens), video: count(details.video_tokens) }
}

/** DeepSeek tells hits and misses; hit + miss is the prompt. */
export const deepseekChat: Surface = (usage, response) => {
  const hit = count(usage.prompt_cache_hit_tokens)
  const told = chatUsage(usage, response, 'deepseek')
  return [{ ...told, input: told.input ?? sum(hit, count(usage.prompt_cache_miss_tokens)), cacheRead: hit ?? told.cacheRead ?? null }]
}
