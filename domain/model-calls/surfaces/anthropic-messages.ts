import type { ToldUsage } from '../canonical-usage.ts'
import { count, type Json, objectOf, objectsOf, sum, text } from '../told-values.ts'
import { providerIn, type Surface, tierIn } from './surface.ts'

/**
 * Cached and written tokens stand beside `input_tokens`. Compaction is outside the top-level fields; an advisor is another model.
 * Entries of messages, also of a fallback, are in the top-level fields already, which say what was served.
 */
export const anthropicMessages: Surface = (usage, response) => {
  const provider = providerIn(response, 'anthropic')
  const iterations = objectsOf(usage.iterations)
  const compactions = iterations.filter(({ type }) => type === 'compaction')
  const call = compactions.map((one) => tokensIn(one)).reduce(together, tokensIn(usage))
  const tools = objectOf(usage.server_tool_use)
  const told: ToldUsage = {
    ...{ provider, isCacheBeside: true, ...call },
    quantities: { web_search_requests: count(tools.web_search_requests), web_fetch_requests: count(tools.web_fetch_requests) },
    words: {
      service_tier: tierIn(response, usage),
      speed: text(usage.speed),
      region: text(usage.inference_geo),
    },
  }
  const advisors = iterations
    .filter(({ type }) => type === 'advisor_message')
    .map((one): ToldUsage => ({ provider, isCacheBeside: true, ...tokensIn(one), words: { model: text(one.model), tool: 'advisor' } }))
  return [told, ...advisors]
}

type Tokens = Pick<ToldUsage, 'input' | 'output' | 'cacheRead' | 'cacheWrite' | 'cacheWriteBy' | 'reasoning'>

function tokensIn(usage: Json): Tokens {
  const byTtl = objectOf(usage.cache_creation)
  return {
    input: count(usage.input_tokens),
    output: count(usage.output_tokens),
    cacheRead: count(usage.cache_read_input_tokens),
    cacheWrite: count(usage.cache_creation_input_tokens),
    cacheWriteBy: { '5m': count(byTtl.ephemeral_5m_input_tokens), '1h': count(byTtl.ephemeral_1h_input_tokens) },
    reasoning: count(objectOf(usage.output_tokens_details).thinking_tokens),
  }
}

function together(left: Tokens, right: Tokens): Tokens {
  const both = (name: Exclude<keyof Tokens, 'cacheWriteBy'>) => sum(left[name] ?? null, right[name] ?? null)
  const written = (ttl: '5m' | '1h') => sum(left.cacheWriteBy?.[ttl] ?? null, right.cacheWriteBy?.[ttl] ?? null)
  return {
    input: both('input'),
    output: both('output'),
    cacheRead: both('cacheRead'),
    cacheWrite: both('cacheWrite'),
    cacheWriteBy: { '5m': written('5m'), '1h': written('1h') },
    reasoning: both('reasoning'),
  }
}
