import type { ToldUsage } from '../canonical-usage.ts'
import { count, type Json, objectOf } from '../told-values.ts'
import { modalitiesIn } from './openai-chat.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/** Hosted tools are told beside the usage, in `tool_usage`; the image tool is another model's call. */
export const openaiResponses: Surface = (usage, response) => {
  const provider = providerIn(response, 'openai')
  const tools = objectOf(response.tool_usage)
  const call = {
    ...responsesUsage(usage, response, provider),
    quantities: { web_search_requests: count(objectOf(tools.web_search).num_requests) },
  }
  if (typeof tools.image_gen !== 'object' || tools.image_gen === null) return [call]
  return [call, { ...imageUsage(objectOf(tools.image_gen), provider), words: { operation: 'image', tool: 'image_gen' } }]
}

export function responsesUsage(usage: Json, response: Json, provider: string | null): ToldUsage {
  const input = detailsOf(usage, 'input')
  const output = detailsOf(usage, 'output')
  const byTtl = objectOf(input.cache_write_tokens_details)
  return {
    provider,
    input: count(usage.input_tokens),
    output: count(usage.output_tokens),
    cacheRead: count(input.cached_tokens),
    cacheWrite: count(input.cache_write_tokens),
    cacheWriteBy: { '30m': count(byTtl.ttl_30m_tokens), '12h': count(byTtl.ttl_12h_tokens) },
    reasoning: count(output.reasoning_tokens),
    inputBy: modalitiesIn(input),
    outputBy: modalitiesIn(output),
    words: { service_tier: tierIn(response, usage) },
  }
}

/** Some interfaces spell the details with an s, others without. */
export function detailsOf(usage: Json, side: 'input' | 'output'): Json {
  return objectOf(usage[`${side}_tokens_details`] ?? usage[`${side}_token_details`])
}

/** Without details all output of an image call is image. */
export function imageUsage(usage: Json, provider: string | null): ToldUsage {
  const details = usage.output_tokens_details ?? usage.output_token_details ?? null
  const output = count(usage.output_tokens)
  return {
    ...{ provider, sides: 'any', input: count(usage.input_tokens), output },
    cacheRead: count(detailsOf(usage, 'input').cached_tokens),
    inputBy: modalitiesIn(detailsOf(usage, 'input')),
    outputBy: details === null ? { image: output } : modalitiesIn(objectOf(details)),
  }
}
