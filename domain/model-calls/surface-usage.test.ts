import fc from 'fast-check'
import { expect, test } from 'vitest'
import { aiVectors } from '../../test/support/model-calls/ai-vectors.ts'
import { INPUT_PARTS, OUTPUT_PARTS } from './canonical-usage.ts'
import { SURFACE_NAMES, surfaceUsage } from './surface-usage.ts'
import { decimalText, micros } from './told-values.ts'

test.each(aiVectors('usage'))('%s', (_id, { input, expected, why }) => {
  expect(surfaceUsage(input.surface, input.usage, input.response ?? null), why).toEqual(expected.events)
})

test('a surface that is not known is not guessed, also when it is a name of every object', () => {
  for (const surface of ['openai', 'constructor', '__proto__', '']) expect(surfaceUsage(surface, { prompt_tokens: 1 }, null)).toBeNull()
})

test.each([
  ['usage that is a text', 'many'],
  ['usage that is a list', [1]],
  ['a fraction', { prompt_tokens: 1.5, completion_tokens: 2 }],
  ['a number beyond 2^53', { prompt_tokens: 2 ** 53, completion_tokens: 2 }],
  ['a text that is no number', { prompt_tokens: '1e3', completion_tokens: 2 }],
  ['a bad part', { prompt_tokens: 1, completion_tokens: 2, prompt_tokens_details: { cached_tokens: -1 } }],
])('%s is unreadable as a whole', (_what, usage) => {
  expect(surfaceUsage('openai.chat', usage, null)).toEqual([{ usage_basis: 'none', usage_warning: 'unreadable' }])
})

test('digits in a text count as the number', () => {
  const usage = { prompt_tokens: '12', completion_tokens: '007' }
  expect(surfaceUsage('openai.chat', usage, null)).toMatchObject([{ input_tokens: 12, output_tokens: 7 }])
})

/** Payloads of the right names with any numbers, told or not: what hosts get wrong. */
const NAMES = [
  ...['prompt_tokens', 'completion_tokens', 'total_tokens', 'input_tokens', 'output_tokens', 'cached_tokens', 'cache_write_tokens'],
  ...['reasoning_tokens', 'audio_tokens', 'image_tokens', 'video_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'],
  ...['ephemeral_5m_input_tokens', 'ephemeral_1h_input_tokens', 'thinking_tokens', 'promptTokenCount', 'candidatesTokenCount'],
  ...['thoughtsTokenCount', 'toolUsePromptTokenCount', 'cachedContentTokenCount', 'inputTokens', 'outputTokens', 'cachedInputTokens'],
  ...['cacheReadInputTokens', 'cacheWriteInputTokens', 'reasoningTokens', 'total', 'cacheRead', 'cacheWrite', 'reasoning', 'tokens'],
  ...['prompt_eval_count', 'eval_count', 'cache_read', 'cache_creation', 'prompt_cache_hit_tokens', 'prompt_cache_miss_tokens'],
]
const GROUPS = [
  ...['prompt_tokens_details', 'completion_tokens_details', 'input_tokens_details', 'output_tokens_details', 'input_token_details'],
  ...['output_token_details', 'cached_tokens_details', 'cache_creation', 'inputTokens', 'outputTokens', 'raw', 'billed_units'],
]
const counts = fc.dictionary(fc.constantFrom(...NAMES), fc.option(fc.nat(1_000_000)), { maxKeys: 8 })
const usages = fc
  .tuple(counts, fc.dictionary(fc.constantFrom(...GROUPS), counts, { maxKeys: 5 }))
  .map(([flat, nested]) => ({ ...flat, ...nested }))
const providers = fc.constantFrom(null, 'anthropic.messages', 'google.generative-ai', 'openai.chat', 'amazon-bedrock')

test('parts are never below zero and add up to their totals, on every surface', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SURFACE_NAMES), usages, providers, (surface, usage, provider) => {
      for (const call of surfaceUsage(surface, usage, { provider }) ?? []) {
        for (const [total, parts] of [
          ['input_tokens', INPUT_PARTS],
          ['output_tokens', OUTPUT_PARTS],
        ] as const) {
          const told = parts.map((part) => Number(call[part] ?? 0))
          expect(Math.min(...told)).toBeGreaterThanOrEqual(0)
          expect(told.reduce((sum, part) => sum + part, 0)).toBe(Number(call[total] ?? 0))
        }
      }
    }),
    { numRuns: 3_000 },
  )
})

test.each([
  [0.00094275, 6, '942.75'],
  [1e-9, 6, '0.001'],
  [1.5e-12, 6, '0.0000015'],
  ['0.10', 0, '0.1'],
  [93.5, 0, '93.5'],
  [14, 0, '14'],
  [1234500, -4, '123.45'],
  [7, -4, '0.0007'],
  [0, 6, '0'],
  [1e21, 0, '1000000000000000000000'],
  [-1, 0, null],
  ['abc', 0, null],
])('%s times 10^%s is %s, exactly', (value, shift, expected) => {
  expect(decimalText(value, shift)).toBe(expected)
})

test('money finer than nine digits of a micro is not kept as if it were exact', () => {
  expect(micros(1e-16)).toBeNull()
  expect(micros(1e-15)).toBe('0.000000001')
})
