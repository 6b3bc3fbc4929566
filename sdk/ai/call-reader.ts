import { charactersIn, type Json, objectOf, objectsOf, textOf } from './json.ts'

/** What is told of one call once it is over: the `data` of its event, as the server's mapping reads it. */
export type CallData = {
  readonly surface: string
  readonly status: 'ok' | 'error' | 'aborted' | 'interrupted'
  readonly usage: unknown
  readonly response?: Json
  readonly response_id?: string
  readonly response_model?: string
  /** Told where the usage at the end did not come. */
  readonly received_chars?: number
  readonly prompt_chars?: number
}

/** Follows one answer, whole or in chunks, without keeping anything of it but its usage. */
export type CallReader = {
  /** A chunk as a client sees it: an SSE event's JSON, or a part of the AI SDK. */
  chunk(chunk: Json): void
  /** A whole answer. */
  answer(answer: Json): void
  /** `done`: the stream ended by itself; `cut`: it broke; `aborted`: somebody stopped it. Null where nothing was received. */
  end(how: 'done' | 'cut' | 'aborted', promptChars?: number): CallData | null
}

type Seen = {
  usage: unknown
  response: Record<string, unknown>
  id: string | undefined
  model: string | undefined
  characters: number
  isAnyThere: boolean
  /** The usage at the end is there. */
  isOver: boolean
  /** The provider said that it is finished, with or without a usage. */
  isFinished: boolean
  isFailed: boolean
}
type Read = { chunk(seen: Seen, chunk: Json): void; answer?(seen: Seen, answer: Json): void }

export function createCallReader(surface: string, response: Json = {}): CallReader {
  const read = READS[surface] ?? READS[surface.split('.')[0] ?? ''] ?? CHAT
  const seen: Seen = {
    ...{ usage: null, response: { ...response }, id: undefined, model: undefined, characters: 0 },
    ...{ isAnyThere: false, isOver: false, isFinished: false, isFailed: false },
  }
  return {
    chunk(chunk) {
      seen.isAnyThere = true
      read.chunk(seen, chunk)
    },
    answer(answer) {
      seen.isAnyThere = true
      seen.isOver = true
      seen.isFinished = true
      if (read.answer === undefined) read.chunk(seen, answer)
      else read.answer(seen, answer)
    },
    end(how, promptChars) {
      if (!seen.isAnyThere) return null
      const isWhole = seen.isOver || (how === 'done' && seen.isFinished)
      const status = seen.isFailed ? 'error' : isWhole ? 'ok' : how === 'aborted' ? 'aborted' : 'interrupted'
      return {
        ...{ surface, status, usage: seen.usage },
        ...(Object.keys(seen.response).length === 0 ? {} : { response: seen.response }),
        ...(seen.id === undefined ? {} : { response_id: seen.id }),
        ...(seen.model === undefined ? {} : { response_model: seen.model }),
        ...(seen.isOver ? {} : { received_chars: seen.characters, ...(promptChars === undefined ? {} : { prompt_chars: promptChars }) }),
      }
    },
  }
}

function identify(seen: Seen, from: Json): void {
  seen.id ??= textOf(from.id) ?? textOf(from.responseId)
  seen.model ??= textOf(from.model) ?? textOf(from.modelVersion)
  const tier = textOf(from.service_tier)
  if (tier !== undefined) seen.response.service_tier = tier
}

function told(seen: Seen, usage: unknown): void {
  if (typeof usage !== 'object' || usage === null) return
  seen.usage = usage
  seen.isOver = true
}

/** Chat completions and hosts that answer like them: the usage is in the last chunk, which may have no choices. */
const CHAT: Read = {
  chunk(seen, chunk) {
    identify(seen, chunk)
    for (const choice of objectsOf(chunk.choices)) {
      const delta = objectOf(choice.delta)
      seen.characters += charactersIn([delta.content, delta.reasoning_content, delta.reasoning, delta.refusal, delta.tool_calls])
      if (textOf(choice.finish_reason) !== undefined) seen.isFinished = true
    }
    told(seen, chunk.usage ?? objectOf(chunk.x_groq).usage)
  },
  answer(seen, answer) {
    identify(seen, answer)
    seen.usage = answer.usage ?? null
    if (Array.isArray(answer.data) && answer.object !== 'list') seen.response.images = answer.data.length
  },
}

/** `response.completed`, `.incomplete` and `.failed` carry the usage alike. */
const RESPONSES: Read = {
  chunk(seen, { type, delta, response }) {
    if (typeof delta === 'string') seen.characters += delta.length
    if (typeof response !== 'object' || response === null) return
    RESPONSES.answer?.(seen, objectOf(response))
    if (type === 'response.failed') seen.isFailed = true
    if (typeof objectOf(response).usage === 'object' && objectOf(response).usage !== null) seen.isOver = true
  },
  answer(seen, answer) {
    identify(seen, answer)
    if (answer.usage !== undefined && answer.usage !== null) seen.usage = answer.usage
    if (answer.tool_usage !== undefined && answer.tool_usage !== null) seen.response.tool_usage = answer.tool_usage
  },
}

/** The start tells the input, the last delta the rest; its counts are cumulative, and null leaves what was told. */
const ANTHROPIC: Read = {
  chunk(seen, { type, message, delta, content_block: block, usage }) {
    if (type === 'message_start') {
      identify(seen, objectOf(message))
      seen.usage = objectOf(message).usage ?? null
    } else if (type === 'content_block_start') seen.characters += charactersIn([objectOf(block).text, objectOf(block).thinking])
    else if (type === 'content_block_delta') {
      const { text, thinking, partial_json: json } = objectOf(delta)
      seen.characters += charactersIn([text, thinking, json])
    } else if (type === 'message_delta') {
      const now = Object.entries(objectOf(usage)).filter(([, value]) => value !== null)
      seen.usage = { ...objectOf(seen.usage), ...Object.fromEntries(now) }
      seen.isOver = true
    }
  },
  answer(seen, answer) {
    identify(seen, answer)
    seen.usage = answer.usage ?? null
  },
}

/** Every chunk repeats the usage, and the last one counts. */
const GOOGLE: Read = {
  chunk(seen, chunk) {
    identify(seen, chunk)
    if (chunk.usageMetadata !== undefined && chunk.usageMetadata !== null) seen.usage = chunk.usageMetadata
    for (const { content, finishReason } of objectsOf(chunk.candidates)) {
      seen.characters += charactersIn(objectsOf(objectOf(content).parts).map(({ text }) => text))
      if (textOf(finishReason) !== undefined) seen.isOver = seen.usage !== null
    }
  },
}

/** The counts stand in the last line itself. */
const OLLAMA: Read = {
  chunk(seen, chunk) {
    identify(seen, chunk)
    seen.characters += charactersIn([objectOf(chunk.message).content, objectOf(chunk.message).thinking, chunk.response])
    if (chunk.done !== true) return
    const { prompt_eval_count, eval_count } = chunk
    told(seen, { ...(prompt_eval_count === undefined ? {} : { prompt_eval_count }), ...(eval_count === undefined ? {} : { eval_count }) })
  },
}

const COHERE: Read = {
  chunk(seen, { type, delta }) {
    seen.characters += charactersIn(objectOf(objectOf(delta).message).content)
    if (type === 'message-end') told(seen, objectOf(delta).usage)
  },
  answer(seen, answer) {
    identify(seen, answer)
    seen.usage = answer.usage ?? answer.meta ?? null
  },
}

const BEDROCK: Read = {
  chunk(seen, { contentBlockDelta, metadata }) {
    seen.characters += charactersIn(objectOf(contentBlockDelta).delta)
    if (metadata !== undefined) told(seen, objectOf(metadata).usage)
  },
  answer(seen, answer) {
    seen.usage = answer.usage ?? null
  },
}

/** Parts of the AI SDK. The finish of an interrupted stream has an empty usage; a part at the start may have had the input. */
const AI_SDK: Read = {
  chunk(seen, part) {
    const { type, delta, usage, finishReason, providerMetadata } = part
    if (typeof delta === 'string') seen.characters += delta.length
    if (type === 'response-metadata') {
      seen.id ??= textOf(part.id)
      seen.model ??= textOf(part.modelId)
    }
    const start = objectOf(objectOf(providerMetadata).anthropic).usage
    if (type !== 'finish' && typeof start === 'object' && start !== null) {
      seen.usage = { inputTokens: {}, outputTokens: {}, raw: start }
    }
    if (type === 'error') seen.isFailed = true
    if (type !== 'finish') return
    metadataOf(seen, providerMetadata)
    if (isTold(usage)) told(seen, usage)
    else seen.usage ??= usage ?? null
    const reason = textOf(finishReason) ?? textOf(objectOf(finishReason).unified)
    if (reason === 'interrupted') seen.isOver = false
    else seen.isFinished = true
  },
  answer(seen, answer) {
    const { response, usage, providerMetadata } = answer
    seen.id ??= textOf(objectOf(response).id)
    seen.model ??= textOf(objectOf(response).modelId)
    metadataOf(seen, providerMetadata)
    seen.usage = usage ?? null
  },
}

/** Specification V2 tells written tokens only here. */
function metadataOf(seen: Seen, providerMetadata: unknown): void {
  const written = objectOf(objectOf(providerMetadata).anthropic).cacheCreationInputTokens
  if (written !== undefined && written !== null) seen.response.cacheCreationInputTokens = written
  const { usage } = objectOf(objectOf(providerMetadata).bedrock)
  const { cacheWriteInputTokens } = objectOf(usage)
  if (cacheWriteInputTokens !== undefined) seen.response.cacheWriteInputTokens = cacheWriteInputTokens
}

/** Whether either side has a total, in the shape of any specification. */
function isTold(usage: unknown): boolean {
  const { inputTokens, outputTokens } = objectOf(usage)
  return [inputTokens, outputTokens].some((side) => typeof side === 'number' || typeof objectOf(side).total === 'number')
}

const READS: Readonly<Record<string, Read>> = {
  'openai.responses': RESPONSES,
  'x_ai.responses': RESPONSES,
  anthropic: ANTHROPIC,
  google: GOOGLE,
  ollama: OLLAMA,
  cohere: COHERE,
  aws: BEDROCK,
  'ai-sdk': AI_SDK,
}
