import { TIMES_TO_LIVE, type TimeToLive } from '../canonical-usage.ts'
import { count, decimalText, micros, objectOf, objectsOf, sum, text } from '../told-values.ts'
import { chatUsage } from './openai-chat.ts'
import { responsesUsage } from './openai-responses.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/** As with Anthropic, cached and written stand beside the input. */
export const bedrockConverse: Surface = (usage, response) => {
  const byTtl = objectsOf(usage.cacheDetails).flatMap(({ ttl, inputTokens }) => {
    const known = TIMES_TO_LIVE.find((one) => one === ttl)
    return known === undefined ? [] : [[known, count(inputTokens)] as const]
  })
  const cacheWriteBy: Partial<Record<TimeToLive, number | null>> = {}
  for (const [ttl, tokens] of byTtl) cacheWriteBy[ttl] = sum(cacheWriteBy[ttl] ?? null, tokens)
  return [
    {
      provider: providerIn(response, 'aws.bedrock'),
      ...{ input: count(usage.inputTokens), output: count(usage.outputTokens), isCacheBeside: true, cacheWriteBy },
      cacheRead: count(usage.cacheReadInputTokens),
      cacheWrite: count(usage.cacheWriteInputTokens),
      words: { service_tier: text(objectOf(response.serviceTier).type) ?? tierIn(response, usage) },
    },
  ]
}

/** The vendor's own client renames the fields, and the cached tokens have three spellings. */
export const mistralChat: Surface = (usage, response) => {
  const prompt = objectOf(usage.prompt_tokens_details ?? usage.promptTokensDetails ?? usage.prompt_token_details)
  const cached = usage.num_cached_tokens ?? usage.numCachedTokens ?? prompt.cached_tokens ?? prompt.cachedTokens
  return [
    {
      provider: providerIn(response, 'mistral_ai'),
      input: count(usage.prompt_tokens ?? usage.promptTokens),
      output: count(usage.completion_tokens ?? usage.completionTokens),
      cacheRead: count(cached),
      quantities: { audio_seconds: decimalText(usage.prompt_audio_seconds ?? usage.promptAudioSeconds) },
      words: { service_tier: tierIn(response, usage) },
    },
  ]
}

/** What is billed, which is less than what the model read. */
export const cohereChat: Surface = (usage, response) => {
  const billed = objectOf(usage.billed_units ?? usage.billedUnits ?? usage.tokens)
  return [
    {
      provider: providerIn(response, 'cohere'),
      input: count(billed.input_tokens ?? billed.inputTokens),
      output: count(billed.output_tokens ?? billed.outputTokens),
      cacheRead: count(usage.cached_tokens ?? usage.cachedTokens),
      quantities: { search_units: count(billed.search_units ?? billed.searchUnits), images: count(billed.images) },
    },
  ]
}

export const cohereRerank: Surface = (usage, response) => {
  const [told] = cohereChat(usage, response)
  return [{ ...told, sides: 'any' }]
}

/** Reasoning stands beside the completion where the total says so. A tick is 1e-10 USD. */
export const xaiChat: Surface = (usage, response) => {
  const told = chatUsage(usage, response, 'x_ai')
  const { input = null, output = null, reasoning = null } = told
  const isBeside = reasoning !== null && reasoning > 0 && count(usage.total_tokens) === (input ?? 0) + (output ?? 0) + reasoning
  return [
    {
      ...told,
      ...(isBeside ? { isReasoningBeside: true } : {}),
      quantities: { sources: count(usage.num_sources_used) },
      words: { ...told.words, reported_cost_micros: ticks(usage.cost_in_usd_ticks) },
    },
  ]
}

export const xaiResponses: Surface = (usage, response) => {
  const told = responsesUsage(usage, response, providerIn(response, 'x_ai'))
  return [
    {
      ...told,
      quantities: { sources: count(usage.num_sources_used), tool_calls: count(usage.num_server_side_tools_used) },
      words: { ...told.words, reported_cost_micros: ticks(usage.cost_in_usd_ticks) },
    },
  ]
}

const ticks = (value: unknown) => micros(value, -4)

/** The counts stand at the top level of the answer; a prompt that is still in memory has none. */
export const ollamaChat: Surface = (usage, response) => [
  { provider: providerIn(response, 'ollama'), input: count(usage.prompt_eval_count), output: count(usage.eval_count) },
]

/** `cost` is what it charged, in USD. */
export const openrouterChat: Surface = (usage, response) => {
  // The answer's `provider` names the host behind the router; who charges is the router.
  const told = chatUsage(usage, { ...response, provider: undefined }, 'openrouter')
  return [{ ...told, words: { ...told.words, reported_cost_micros: micros(usage.cost) } }]
}
