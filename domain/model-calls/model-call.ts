import { type CanonicalUsage, OUTPUT_PARTS } from './canonical-usage.ts'
import { providerName } from './provider-names.ts'
import { surfaceUsage } from './surface-usage.ts'
import { count, type Json, objectOf, text } from './told-values.ts'

/** The type of an event that is a call of a model. */
export const MODEL_CALL_TYPE = 'llm.request'

/** The fields of one event's `data` that the mapping adds; the first is the call's own. */
export type MappedCall = Readonly<Record<string, string | number>>

/**
 * A call as its client sent it (`surface, model, usage, response?, status?, received_chars?, prompt_chars?` and others), in our
 * words: provider, operation, status, and the usage. Calls that were made inside it follow. Null for an unknown surface. Pure.
 */
export function mappedCalls(data: Json): readonly [MappedCall, ...MappedCall[]] | null {
  const surface = text(data.surface) ?? ''
  const calls = surfaceUsage(surface, data.usage, data.response)
  const [own, ...inner] = calls ?? []
  if (own === undefined) return null
  const response = objectOf(data.response)
  const provider = data.provider === undefined ? (own.provider ?? providerOf(surface)) : providerName(String(data.provider))
  const status = text(data.status) ?? 'ok'
  const told = {
    ...(provider === null ? {} : { provider }),
    ...whereTold({ response_model: text(data.response_model) ?? text(response.model) }),
    ...whereTold({ response_id: text(data.response_id) ?? text(response.id) }),
    operation: text(data.operation) ?? operationOf(surface),
    status,
  }
  return [
    { ...unended(own, status, data), ...told },
    ...inner.map((usage): MappedCall => ({ operation: 'chat', status, ...(provider === null ? {} : { provider }), ...usage })),
  ]
}

function whereTold(field: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(field).filter((entry): entry is [string, string] => entry[1] !== null))
}

/** The provider behind a surface whose usage says nothing. */
function providerOf(surface: string): string | null {
  return surfaceUsage(surface, {}, null)?.[0]?.provider?.toString() ?? null
}

function operationOf(surface: string): string {
  return OPERATIONS[surface.split('.').at(-1) ?? ''] ?? 'chat'
}

const OPERATIONS: Readonly<Record<string, string>> = {
  ...{ embeddings: 'embeddings', embedding: 'embeddings', images: 'image', image: 'image', transcription: 'transcription' },
  ...{ speech: 'speech', rerank: 'rerank', realtime: 'realtime' },
}

/** A token has about four characters, where nobody told how many tokens there were. */
const CHARACTERS_PER_TOKEN = 4
const UNENDED: ReadonlySet<string> = new Set(['aborted', 'interrupted', 'error'])

/**
 * The end of a stream is its usage. Before that, what the start told stands, and the output is the larger of what was told and
 * what was received; where nothing was told, both sides are estimated.
 */
function unended(usage: CanonicalUsage, status: string, data: Json): CanonicalUsage {
  const received = tokensOf(data.received_chars)
  if (received === null || usage.usage_warning === 'unreadable') return usage
  const { usage_basis: basis } = usage
  if (basis === 'none') {
    return { ...usage, ...textSide('input', tokensOf(data.prompt_chars) ?? 0), ...textSide('output', received), usage_basis: 'estimated' }
  }
  if (!UNENDED.has(status)) return usage
  if (received <= Number(usage.output_tokens ?? 0)) return { ...usage, usage_basis: 'partial' }
  const others = Object.entries(usage).filter(([name]) => !OUTPUT.has(name))
  return { ...Object.fromEntries(others), ...textSide('output', received), usage_basis: 'partial' }
}

const OUTPUT: ReadonlySet<string> = new Set(OUTPUT_PARTS)

function tokensOf(characters: unknown): number | null {
  const told = count(characters)
  return told === null || Number.isNaN(told) ? null : Math.ceil(told / CHARACTERS_PER_TOKEN)
}

function textSide(side: 'input' | 'output', tokens: number): Record<string, number> {
  return { [`${side}_tokens`]: tokens, ...(tokens === 0 ? {} : { [`${side}_text_tokens`]: tokens }) }
}
