import { createCallReader } from './call-reader.ts'
import { createEventCutter } from './event-cutter.ts'
import { charactersIn, type Json, objectOf } from './json.ts'
import { beginCall, type MeteredCall, type MeterOptions } from './metered-call.ts'
import { type Addressed, surfaceOfUrl } from './surface-of-url.ts'
import { tappedStream } from './tapped-stream.ts'

export type MeterFetchOptions = MeterOptions & {
  /** Whose interface it is, for hosts that the address does not tell. */
  readonly surface?: string
  readonly fetch?: typeof globalThis.fetch
}

/**
 * A `fetch` for the official clients: every call of a model is metered, limited and priced; whatever else they ask for passes.
 * It sets `include_usage` where a stream lacks it, and then hides the extra chunk.
 */
export function meterFetch({ surface, fetch = globalThis.fetch, ...options }: MeterFetchOptions): typeof globalThis.fetch {
  return async (input, init) => {
    const request = await readRequest(input, init)
    const addressed = request === null ? null : surfaceOfUrl(request.url, request.body, surface)
    if (request === null || addressed === null) return fetch(input, init)
    const { body } = request
    const context = { model: addressed.model ?? '', surface: addressed.surface }
    const call = await beginCall(options, context, { promptBytes: request.promptBytes, outputMax: outputMaxIn(body) })
    const needsUsage = body.stream === true && IS_CHAT.test(addressed.surface) && objectOf(body.stream_options).include_usage !== true
    const sent = withLimit(
      needsUsage ? { ...body, stream_options: { ...objectOf(body.stream_options), include_usage: true } } : body,
      call,
      addressed,
    )
    let response: Response
    try {
      response = await (sent === body
        ? fetch(input, init)
        : fetch(request.url, { ...(await initOf(input, init)), body: JSON.stringify(sent) }))
    } catch (error) {
      call.end(null)
      throw error
    }
    return tapped(response, { call, addressed, promptChars: charactersIn(promptIn(body)), isHiding: needsUsage })
  }
}

const IS_CHAT = /^(openai|azure|deepseek)\.chat$/

type Fetched = Parameters<typeof globalThis.fetch>[0]
type ReadRequest = { readonly url: string; readonly body: Json; readonly promptBytes: number }

/** Null for a request that is no POST of JSON: what it would say of itself cannot be read. */
async function readRequest(input: Fetched, init?: RequestInit): Promise<ReadRequest | null> {
  const isRequest = input instanceof Request
  const method = init?.method ?? (isRequest ? input.method : 'GET')
  if (method.toUpperCase() !== 'POST') return null
  const url = isRequest ? input.url : String(input)
  const given = init?.body ?? (isRequest ? await input.clone().text() : null)
  if (given instanceof FormData) return { url, body: { model: given.get('model') }, promptBytes: 0 }
  const text = typeof given === 'string' ? given : given instanceof Uint8Array ? new TextDecoder().decode(given) : null
  if (text === null) return null
  try {
    const body = objectOf(JSON.parse(text))
    return { url, body, promptBytes: new TextEncoder().encode(text).length }
  } catch {
    return null
  }
}

/** The request's own settings, where it was given as a whole. */
async function initOf(input: Fetched, init?: RequestInit): Promise<RequestInit> {
  if (!(input instanceof Request)) return { ...init }
  const { method, headers, signal, credentials, redirect, referrer } = input
  return { method, headers, signal, credentials, redirect, referrer, ...init }
}

function promptIn({ messages, input, prompt, contents, system, instructions, query, documents }: Json): unknown {
  return [messages, input, prompt, contents, system, instructions, query, documents]
}

const LIMITS = ['max_completion_tokens', 'max_output_tokens', 'max_tokens'] as const

function outputMaxIn(body: Json): number | undefined {
  const told = [...LIMITS.map((name) => body[name]), objectOf(body.generationConfig).maxOutputTokens]
  return told.find((limit) => typeof limit === 'number')
}

/** Lowers the call's own limit, or sets the one of its interface. */
function withLimit(body: Json, { outputMax }: MeteredCall, { surface }: Addressed): Json {
  const own = outputMaxIn(body)
  if (outputMax === undefined || (own !== undefined && own <= outputMax)) return body
  if (surface === 'google.generate_content') {
    return { ...body, generationConfig: { ...objectOf(body.generationConfig), maxOutputTokens: outputMax } }
  }
  const told = LIMITS.find((limit) => typeof body[limit] === 'number')
  const name = told ?? LIMIT_OF[surface]
  return name === undefined ? body : { ...body, [name]: outputMax }
}

const LIMIT_OF: Readonly<Record<string, string>> = {
  ...{ 'openai.chat': 'max_completion_tokens', 'azure.chat': 'max_completion_tokens', 'groq.chat': 'max_completion_tokens' },
  ...{ 'openai.responses': 'max_output_tokens', 'x_ai.responses': 'max_output_tokens', 'anthropic.messages': 'max_tokens' },
  ...{ 'mistral.chat': 'max_tokens', 'deepseek.chat': 'max_tokens', 'openrouter.chat': 'max_tokens', 'x_ai.chat': 'max_tokens' },
}

type Tapping = { readonly call: MeteredCall; readonly addressed: Addressed; readonly promptChars: number; readonly isHiding: boolean }

function tapped(response: Response, { call, addressed, promptChars, isHiding }: Tapping): Response {
  const { body, status, statusText, headers } = response
  if (!response.ok || body === null) {
    call.end(null)
    return response
  }
  const reader = createCallReader(addressed.surface, addressed.response)
  const type = headers.get('content-type') ?? ''
  const cutter = createEventCutter(type.includes('event-stream') ? 'sse' : type.includes('ndjson') ? 'lines' : 'whole')
  const read = (json: Json) => (cutter.kind === 'whole' ? reader.answer(json) : reader.chunk(json))
  const hides = isHiding && cutter.kind === 'sse'
  const stream = tappedStream(hides ? withoutUsageChunk(body) : body, {
    each: (bytes) => (hides ? undefined : cutter.add(bytes, read)),
    end(how) {
      if (!hides) cutter.end(read)
      call.end(reader.end(how, promptChars))
    },
  })
  const answer = new Response(stream, { status, statusText, headers })
  Object.defineProperty(answer, 'url', { value: response.url })
  return answer

  /** Events pass whole, each as soon as it is; the one that only we asked for does not. */
  function withoutUsageChunk(events: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const pieces = createEventCutter('sse')
    const source = events.getReader()
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          for (let isWaiting = true; isWaiting; ) {
            const { done, value } = await source.read()
            const pass = (json: Json, piece: Uint8Array) => {
              reader.chunk(json)
              if (Array.isArray(json.choices) && json.choices.length === 0 && json.usage !== undefined && json.usage !== null) return
              controller.enqueue(piece)
              isWaiting = false
            }
            const passAsIs = (piece: Uint8Array) => {
              controller.enqueue(piece)
              isWaiting = false
            }
            if (!done) pieces.add(value, pass, passAsIs)
            else {
              pieces.end(pass, passAsIs)
              controller.close()
              return
            }
          }
        },
        cancel: (reason) => source.cancel(reason),
      },
      { highWaterMark: 0 },
    )
  }
}
