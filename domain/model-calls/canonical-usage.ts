import type { Count } from './told-values.ts'

/** What a surface says of one call, in our words: nothing is added up yet, and null is not told. */
export type ToldUsage = {
  /** OpenTelemetry's name; null where the surface does not say. */
  readonly provider: string | null
  /** Both sides make a usage whole; `any` where one side, or another quantity, is all there is. */
  readonly sides?: 'both' | 'any'
  readonly input?: Count
  readonly output?: Count
  readonly cacheRead?: Count
  readonly cacheWrite?: Count
  readonly reasoning?: Count
  /** True where what was read and written stands beside `input`, and is no part of it. */
  readonly isCacheBeside?: boolean
  readonly isReasoningBeside?: boolean
  readonly inputBy?: Modalities
  readonly cacheReadBy?: Modalities
  readonly outputBy?: Modalities
  /** Written, by time to live. */
  readonly cacheWriteBy?: Readonly<Partial<Record<TimeToLive, Count>>>
  readonly quantities?: Readonly<Partial<Record<QuantityKind, Count | string>>>
  /** What changes the rate or names the call; null is left out. */
  readonly words?: Readonly<Partial<Record<CallWord, string | null>>>
}

/** Without text, which is what the others leave. */
export type Modalities = Readonly<Partial<Record<Modality, Count>>>
export const MODALITIES = ['image', 'audio', 'video'] as const
export type Modality = (typeof MODALITIES)[number]
export const TIMES_TO_LIVE = ['5m', '30m', '1h', '12h'] as const
export type TimeToLive = (typeof TIMES_TO_LIVE)[number]
type CallWord = 'model' | 'operation' | 'tool' | 'service_tier' | 'speed' | 'region' | 'reported_cost_micros'

/** Parts of the input, of the output, and other quantities, in the order in which they are listed everywhere. */
export const INPUT_PARTS = [
  ...['input_text_tokens', 'input_image_tokens', 'input_audio_tokens', 'input_video_tokens'],
  ...['cache_read_tokens', 'cache_read_image_tokens', 'cache_read_audio_tokens', 'cache_read_video_tokens'],
  ...['cache_write_tokens', 'cache_write_5m_tokens', 'cache_write_30m_tokens', 'cache_write_1h_tokens', 'cache_write_12h_tokens'],
] as const
export const OUTPUT_PARTS = [
  ...['output_text_tokens', 'reasoning_tokens', 'output_image_tokens', 'output_audio_tokens', 'output_video_tokens'],
] as const
export const QUANTITY_KINDS = [
  ...(['images', 'audio_seconds', 'video_seconds', 'characters', 'pages', 'search_units'] as const),
  ...(['web_search_requests', 'web_fetch_requests', 'tool_calls', 'sources'] as const),
] as const
export type QuantityKind = (typeof QUANTITY_KINDS)[number]

export type UsageWarning = 'cache_beside_input' | 'reasoning_beside_output' | 'parts_exceed_total' | 'cache_split_assumed' | 'unreadable'

/** Fields of an event's `data`. Parts are disjoint and add up to their total; a part of zero is left out, a told total is not. */
export type CanonicalUsage = Readonly<Record<string, string | number>> & {
  readonly usage_basis: 'reported' | 'partial' | 'estimated' | 'none'
  /** Several are separated by commas. */
  readonly usage_warning?: string
}

/** Nothing of a usage with a bad number is counted. */
export const UNREADABLE: CanonicalUsage = { usage_basis: 'none', usage_warning: 'unreadable' satisfies UsageWarning }

/** Adds up what was told: first the totals, then the cached tokens by modality, then the parts (`docs/model-calls.md`). */
export function canonicalUsage(told: ToldUsage): CanonicalUsage {
  if (hasBadNumber(told)) return UNREADABLE
  const warnings: UsageWarning[] = []
  const input = inputParts(told, warnings)
  const output = outputParts(told, warnings)
  const quantities = quantityFields(told.quantities ?? {})
  const basis = basisOf(told.sides ?? 'both', [input.input_tokens, output.output_tokens], Object.keys(quantities).length > 0)
  return {
    ...(told.provider === null ? {} : { provider: told.provider }),
    ...wordFields(told.words ?? {}),
    ...input,
    ...output,
    ...quantities,
    ...(warnings.length === 0 ? {} : { usage_warning: warnings.join(',') }),
    usage_basis: basis,
  }
}

function hasBadNumber(told: ToldUsage): boolean {
  const groups = [told, told.inputBy, told.cacheReadBy, told.outputBy, told.cacheWriteBy, told.quantities]
  return groups.some((group) => group !== undefined && Object.values(group).some((value) => Number.isNaN(value)))
}

type Fields = Record<string, number>

function inputParts(told: ToldUsage, warnings: UsageWarning[]): Fields {
  const { input = null, inputBy = {}, cacheReadBy, cacheWriteBy = {} } = told
  const readBy = Object.values(cacheReadBy ?? {}).reduce<number>((total, one) => total + (one ?? 0), 0)
  const read = Math.max(told.cacheRead ?? 0, readBy)
  const writtenBy = Object.values(cacheWriteBy).reduce<number>((total, one) => total + (one ?? 0), 0)
  const written = Math.max(told.cacheWrite ?? 0, writtenBy)
  if (input === null && read + written === 0) return {}

  const isBeside = told.isCacheBeside ?? read + written > (input ?? 0)
  if (isBeside && told.isCacheBeside !== true && input !== null) warnings.push('cache_beside_input')
  const total = (input ?? 0) + (isBeside ? read + written : 0)

  const fields: Fields = {}
  const modal = MODALITIES.map((modality) => inputBy[modality] ?? 0)
  const cached = cacheReadBy === undefined ? assumedSplit(read, total - written, modal, warnings) : toldSplit(read, readBy, cacheReadBy)
  for (const [at, modality] of MODALITIES.entries()) {
    put(fields, `input_${modality}_tokens`, (modal[at] ?? 0) - (cached.modal[at] ?? 0))
    put(fields, `cache_read_${modality}_tokens`, cached.modal[at] ?? 0)
  }
  put(fields, 'cache_read_tokens', cached.text)
  put(fields, 'cache_write_tokens', written - writtenBy)
  for (const ttl of TIMES_TO_LIVE) put(fields, `cache_write_${ttl}_tokens`, cacheWriteBy[ttl] ?? 0)
  return withText(fields, 'input_tokens', 'input_text_tokens', total, warnings)
}

type CachedSplit = { readonly text: number; readonly modal: readonly number[] }

function toldSplit(read: number, readBy: number, by: Modalities): CachedSplit {
  return { text: read - readBy, modal: MODALITIES.map((modality) => by[modality] ?? 0) }
}

/** Which tokens were cached is not told: text first, then image, audio, video. */
function assumedSplit(read: number, unwritten: number, modal: readonly number[], warnings: UsageWarning[]): CachedSplit {
  const modalTotal = modal.reduce((total, one) => total + one, 0)
  if (read === 0 || modalTotal === 0) return { text: read, modal: [] }
  warnings.push('cache_split_assumed')
  const text = Math.min(read, Math.max(unwritten - modalTotal, 0))
  let left = read - text
  const split = modal.map((tokens) => {
    const part = Math.min(left, tokens)
    left -= part
    return part
  })
  return { text: text + left, modal: split }
}

function outputParts(told: ToldUsage, warnings: UsageWarning[]): Fields {
  const { output = null, outputBy = {} } = told
  const reasoning = told.reasoning ?? 0
  if (output === null && reasoning === 0) return {}
  const isBeside = told.isReasoningBeside ?? reasoning > (output ?? 0)
  if (isBeside && told.isReasoningBeside !== true && output !== null) warnings.push('reasoning_beside_output')
  const fields: Fields = {}
  put(fields, 'reasoning_tokens', reasoning)
  for (const modality of MODALITIES) put(fields, `output_${modality}_tokens`, outputBy[modality] ?? 0)
  return withText(fields, 'output_tokens', 'output_text_tokens', (output ?? 0) + (isBeside ? reasoning : 0), warnings)
}

function put(fields: Fields, name: string, tokens: number): void {
  if (tokens > 0) fields[name] = tokens
}

/** Text is what the others leave; where they exceed the total, the total is their sum. */
function withText(fields: Fields, totalName: string, textName: string, total: number, warnings: UsageWarning[]): Fields {
  const parts = Object.values(fields).reduce((all, one) => all + one, 0)
  if (parts > total && !warnings.includes('parts_exceed_total')) warnings.push('parts_exceed_total')
  put(fields, textName, total - parts)
  return { [totalName]: Math.max(total, parts), ...fields }
}

function quantityFields(quantities: NonNullable<ToldUsage['quantities']>): Record<string, string | number> {
  const told = QUANTITY_KINDS.flatMap((kind) => {
    const quantity = quantities[kind] ?? 0
    return quantity === 0 || quantity === '0' ? [] : [[kind, quantity] as const]
  })
  return Object.fromEntries(told)
}

/** The ordinary value of what changes a rate is left out. */
const ORDINARY: ReadonlySet<string> = new Set(['default', 'standard', 'auto', 'on_demand', 'global', 'not_available'])

function wordFields(words: NonNullable<ToldUsage['words']>): Record<string, string> {
  const told = Object.entries(words).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && !ORDINARY.has(entry[1]))
  return Object.fromEntries(told)
}

function basisOf(sides: 'both' | 'any', totals: readonly unknown[], hasQuantity: boolean): CanonicalUsage['usage_basis'] {
  const told = totals.filter((total) => total !== undefined).length
  if (told === 2 || (sides === 'any' && (told > 0 || hasQuantity))) return 'reported'
  return told > 0 || hasQuantity ? 'partial' : 'none'
}
