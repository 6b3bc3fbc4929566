import type { ToldUsage } from '../canonical-usage.ts'
import { count, decimalText, type Json, micros, objectOf } from '../told-values.ts'
import { anthropicMessages } from './anthropic-messages.ts'
import { googleGenerateContent } from './google.ts'
import { bedrockConverse } from './other-chats.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/**
 * Specifications V3 and V4. `noCache` and `text` are not read, as some providers' do not add up to the total. `raw` is read in
 * place of the normalised fields for Anthropic, Google and Bedrock where it is whole; else only for what the fields lack.
 */
export const aiSdk: Surface = (usage, response) => {
  const provider = providerIn(response, null)
  const raw = objectOf(usage.raw)
  const whole = WHOLE_RAW[provider ?? '']
  if (whole?.names.every((name) => count(raw[name]) !== null)) return whole.surface(raw, response)
  return [{ ...normalised(usage, provider), ...besidesFrom(raw, response) }]
}

const WHOLE_RAW: Readonly<Record<string, { readonly names: readonly string[]; readonly surface: Surface }>> = {
  anthropic: { names: ['input_tokens', 'output_tokens'], surface: anthropicMessages },
  'gcp.gemini': { names: ['promptTokenCount', 'candidatesTokenCount'], surface: googleGenerateContent },
  'gcp.vertex_ai': { names: ['promptTokenCount', 'candidatesTokenCount'], surface: googleGenerateContent },
  'aws.bedrock': { names: ['inputTokens', 'outputTokens'], surface: bedrockConverse },
}

function normalised(usage: Json, provider: string | null): ToldUsage {
  const input = objectOf(usage.inputTokens)
  const output = objectOf(usage.outputTokens)
  return {
    ...{ provider, input: count(input.total), output: count(output.total) },
    cacheRead: count(input.cacheRead),
    cacheWrite: count(input.cacheWrite),
    reasoning: count(output.reasoning),
  }
}

/** Times to live, tools, tier and cost, which the normalised fields do not have. */
function besidesFrom(raw: Json, response: Json): Partial<ToldUsage> {
  const byTtl = objectOf(raw.cache_creation)
  const tools = objectOf(raw.server_tool_use)
  return {
    cacheWriteBy: { '5m': count(byTtl.ephemeral_5m_input_tokens), '1h': count(byTtl.ephemeral_1h_input_tokens) },
    quantities: { web_search_requests: count(tools.web_search_requests), web_fetch_requests: count(tools.web_fetch_requests) },
    words: { service_tier: tierIn(response, raw), reported_cost_micros: micros(raw.cost) },
  }
}

const CACHE_BESIDE: ReadonlySet<string | null> = new Set(['anthropic', 'aws.bedrock'])
const REASONING_BESIDE: ReadonlySet<string | null> = new Set(['gcp.gemini', 'gcp.vertex_ai'])

/** Specification V2 passes the provider's own convention on; what was written is in the provider's metadata. */
export const aiSdkV2: Surface = (usage, response) => {
  const provider = providerIn(response, null)
  return [
    {
      ...{ provider, input: count(usage.inputTokens), output: count(usage.outputTokens) },
      cacheRead: count(usage.cachedInputTokens),
      cacheWrite: count(response.cacheCreationInputTokens ?? response.cacheWriteInputTokens),
      reasoning: count(usage.reasoningTokens),
      ...(CACHE_BESIDE.has(provider) ? { isCacheBeside: true } : {}),
      ...(REASONING_BESIDE.has(provider) ? { isReasoningBeside: true } : {}),
      words: { service_tier: tierIn(response, {}) },
    },
  ]
}

export const aiSdkEmbedding: Surface = (usage, response) => [
  { provider: providerIn(response, null), sides: 'any', input: count(usage.tokens) },
]

/** There are no details: the input counts as text, the output as image. */
export const aiSdkImage: Surface = (usage, response) => {
  const output = count(usage.outputTokens)
  return [
    {
      ...{ provider: providerIn(response, null), sides: 'any', input: count(usage.inputTokens), output, outputBy: { image: output } },
      quantities: { images: count(response.images) },
    },
  ]
}

export const aiSdkSpeech: Surface = (usage, response) => [
  { provider: providerIn(response, null), sides: 'any', quantities: { characters: count(usage.characters ?? response.characters) } },
]

export const aiSdkTranscription: Surface = (_usage, response) => [
  { provider: providerIn(response, null), sides: 'any', quantities: { audio_seconds: decimalText(response.durationInSeconds) } },
]
