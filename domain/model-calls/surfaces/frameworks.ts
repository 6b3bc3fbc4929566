import { count, micros, objectOf } from '../told-values.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/** Details are parts of the totals, whatever the provider's own convention. */
export const langchain: Surface = (usage, response) => {
  const input = objectOf(usage.input_token_details)
  const output = objectOf(usage.output_token_details)
  return [
    {
      provider: providerIn(response, null),
      ...{ input: count(usage.input_tokens), output: count(usage.output_tokens) },
      cacheRead: count(input.cache_read),
      cacheWrite: count(input.cache_creation),
      cacheWriteBy: { '5m': count(input.ephemeral_5m_input_tokens), '1h': count(input.ephemeral_1h_input_tokens) },
      reasoning: count(output.reasoning),
      inputBy: { image: count(input.image), audio: count(input.audio), video: count(input.video) },
      outputBy: { image: count(output.image), audio: count(output.audio), video: count(output.video) },
      words: { service_tier: tierIn(response, usage) },
    },
  ]
}

/** The prompt includes what was read and written; the cost is a float in USD, kept as it is written. */
export const litellm: Surface = (usage, response) => {
  const prompt = objectOf(usage.prompt_tokens_details)
  const completion = objectOf(usage.completion_tokens_details)
  const byTtl = objectOf(prompt.cache_creation_token_details)
  return [
    {
      provider: providerIn(response, null),
      ...{ input: count(usage.prompt_tokens), output: count(usage.completion_tokens) },
      cacheRead: count(prompt.cached_tokens ?? usage.cache_read_input_tokens),
      cacheWrite: count(prompt.cache_creation_tokens ?? usage.cache_creation_input_tokens),
      cacheWriteBy: { '5m': count(byTtl.ephemeral_5m_input_tokens), '1h': count(byTtl.ephemeral_1h_input_tokens) },
      reasoning: count(completion.reasoning_tokens),
      inputBy: { image: count(prompt.image_tokens), audio: count(prompt.audio_tokens), video: count(prompt.video_tokens) },
      outputBy: { image: count(completion.image_tokens), audio: count(completion.audio_tokens), video: count(completion.video_tokens) },
      words: { service_tier: tierIn(response, usage), reported_cost_micros: micros(response.response_cost) },
    },
  ]
}
