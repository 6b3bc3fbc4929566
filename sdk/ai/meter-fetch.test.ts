import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { beforeEach, describe, expect, test } from 'vitest'
import { LimitReachedError } from '../client/errors.ts'
import { meterFetch } from './meter-fetch.ts'
import type { MeterOptions, ReserveOptions } from './metered-call.ts'

type Tracked = { readonly id: string; readonly customer: string; readonly reservation?: string; readonly data: Record<string, unknown> }
let tracked: Tracked[]
let holds: { quantity: unknown; state: 'held' | 'released' }[]
let requests: { url: string; body: Record<string, unknown> }[]

beforeEach(() => {
  tracked = []
  holds = []
  requests = []
})

/** A client of Tollgate that remembers, as the network is what is mocked here. */
function options(reserve?: ReserveOptions, limit = Number.POSITIVE_INFINITY): MeterOptions {
  const tollgate = {
    track: (event: Tracked) => {
      tracked.push(event)
      return event.id
    },
    flush: async () => undefined,
    async reserve({ quantity }: { quantity: number }) {
      if (Number(quantity) > limit) throw new LimitReachedError('the limit is reached', 409)
      const hold = { quantity, state: 'held' as 'held' | 'released' }
      holds.push(hold)
      return {
        id: `hold-${holds.length}`,
        quantity,
        extend: async () => undefined,
        release: async () => void Object.assign(hold, { state: 'released' }),
      }
    },
  }
  return { tollgate: tollgate as unknown as MeterOptions['tollgate'], customer: 'acme', ...(reserve === undefined ? {} : { reserve }) }
}

/** Answers every request with this, and remembers what was asked. */
function network(answer: () => Response): typeof globalThis.fetch {
  return async (input, init) => {
    requests.push({ url: String(input instanceof Request ? input.url : input), body: JSON.parse(String(init?.body ?? '{}')) })
    init?.signal?.throwIfAborted()
    return answer()
  }
}

const json =
  (body: unknown, status = 200) =>
  () =>
    Response.json(body, { status })

async function allOf<Part>(stream: AsyncIterable<Part>): Promise<readonly Part[]> {
  const parts: Part[] = []
  for await (const part of stream) parts.push(part)
  return parts
}

/** The bytes of the stream are cut anywhere, also within a character. */
function sse(events: readonly unknown[], { cutAfter, piece = 7 }: { cutAfter?: number; piece?: number } = {}) {
  return () => {
    const named = (event: unknown) => (typeof event === 'object' && event !== null && 'type' in event ? `event: ${event.type}\n` : '')
    const text = events.map((event) => `${named(event)}data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('')
    const bytes = new TextEncoder().encode(text)
    let at = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (cutAfter !== undefined && at >= cutAfter) controller.error(new TypeError('terminated'))
        else if (at >= bytes.length) controller.close()
        else controller.enqueue(bytes.slice(at, at + piece))
        at += piece
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

const CHAT_USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 }
const CHUNKS = [
  { id: 'c1', model: 'gpt-x-1', choices: [{ index: 0, delta: { role: 'assistant', content: 'Grüße' } }] },
  { id: 'c1', model: 'gpt-x-1', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
  { id: 'c1', model: 'gpt-x-1', choices: [], usage: CHAT_USAGE },
  '[DONE]',
]
const MESSAGES = [{ role: 'user' as const, content: 'Say hello' }]

describe('openai', () => {
  const openai = (fetch: typeof globalThis.fetch, metering = options()) =>
    new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: meterFetch({ ...metering, fetch }) })

  test('an answer is one event with the usage as it came', async () => {
    const answer = {
      id: 'c1',
      model: 'gpt-x-1',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
      usage: CHAT_USAGE,
    }
    const completion = await openai(network(json(answer))).chat.completions.create({ model: 'gpt-x', messages: MESSAGES })
    expect(completion.choices[0]?.message.content).toBe('hello')
    expect(tracked).toMatchObject([
      {
        customer: 'acme',
        data: { surface: 'openai.chat', model: 'gpt-x', response_model: 'gpt-x-1', response_id: 'c1', status: 'ok', usage: CHAT_USAGE },
      },
    ])
  })

  test.each([1, 7, 10_000])(
    'a stream in pieces of %i bytes: the usage is asked for, read, and hidden from whoever did not ask',
    async (piece) => {
      const stream = await openai(network(sse(CHUNKS, { piece }))).chat.completions.create({
        model: 'gpt-x',
        messages: MESSAGES,
        stream: true,
      })
      let text = ''
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? expect(chunk.choices).toHaveLength(1)
      expect(text).toContain('Grüße')
      expect(requests[0]?.body).toMatchObject({ stream_options: { include_usage: true } })
      expect(tracked).toMatchObject([{ data: { status: 'ok', usage: CHAT_USAGE } }])
      expect(tracked[0]?.data).not.toHaveProperty('received_chars')
    },
  )

  test('who asked for the usage gets it', async () => {
    const asked = { model: 'gpt-x', messages: MESSAGES, stream: true as const, stream_options: { include_usage: true } }
    const chunks = []
    for await (const chunk of await openai(network(sse(CHUNKS))).chat.completions.create(asked)) chunks.push(chunk)
    expect(chunks.at(-1)?.usage).toEqual(CHAT_USAGE)
    expect(tracked).toHaveLength(1)
  })

  test('a stream that breaks is told with what was received', async () => {
    const stream = await openai(network(sse(CHUNKS, { cutAfter: 120 }))).chat.completions.create({
      model: 'gpt-x',
      messages: MESSAGES,
      stream: true,
    })
    await expect(allOf(stream)).rejects.toThrow()
    expect(tracked).toMatchObject([{ data: { status: 'interrupted', usage: null, received_chars: 5, prompt_chars: 13 } }])
  })

  test('a stream that its reader leaves is told as aborted, once', async () => {
    const stream = await openai(network(sse(CHUNKS))).chat.completions.create({ model: 'gpt-x', messages: MESSAGES, stream: true })
    for await (const _ of stream) break
    await Promise.resolve()
    expect(tracked).toMatchObject([{ data: { status: 'aborted', received_chars: 5 } }])
  })

  test('a hold bounds what may come out, and the event carries it', async () => {
    const answer = { id: 'c1', model: 'gpt-x', choices: [], usage: CHAT_USAGE }
    const client = openai(network(json(answer)), options({ feature: 'ai_tokens', estimate: 100 }))
    await client.chat.completions.create({ model: 'gpt-x', messages: MESSAGES, max_completion_tokens: 5_000 })
    const sent = Number(requests[0]?.body.max_completion_tokens)
    expect(sent).toBeLessThan(100)
    expect(holds).toMatchObject([{ quantity: 100, state: 'held' }])
    expect(tracked).toMatchObject([{ reservation: 'hold-1' }])
  })

  test('at the limit no call is made', async () => {
    const client = openai(network(json({})), options({ feature: 'ai_tokens' }, 10))
    const error = await client.chat.completions.create({ model: 'gpt-x', messages: MESSAGES }).catch((caught: unknown) => caught)
    expect(error instanceof LimitReachedError || (error as Error).cause instanceof LimitReachedError).toBe(true)
    expect(requests).toEqual([])
    expect(tracked).toEqual([])
  })

  test.each([429, 500])('an answer of %i gives the hold back, and is no event', async (status) => {
    const client = openai(network(json({ error: { message: 'no' } }, status)), options({ feature: 'ai_tokens' }))
    await expect(client.chat.completions.create({ model: 'gpt-x', messages: MESSAGES })).rejects.toThrow()
    expect(holds).toMatchObject([{ state: 'released' }])
    expect(tracked).toEqual([])
  })

  test('each try is a call of its own', async () => {
    let tries = 0
    const flaky = network(() =>
      ++tries === 1
        ? Response.json({}, { status: 500, headers: { 'retry-after-ms': '1' } })
        : Response.json({ choices: [], usage: CHAT_USAGE }),
    )
    const client = new OpenAI({ apiKey: 'k', maxRetries: 1, fetch: meterFetch({ ...options({ feature: 'ai_tokens' }), fetch: flaky }) })
    await client.chat.completions.create({ model: 'gpt-x', messages: MESSAGES })
    expect(holds).toMatchObject([{ state: 'released' }, { state: 'held' }])
    expect(tracked).toHaveLength(1)
  })

  test('responses: an incomplete one has its usage', async () => {
    const usage = { input_tokens: 50, output_tokens: 16, output_tokens_details: { reasoning_tokens: 16 }, total_tokens: 66 }
    const events = [
      { type: 'response.output_text.delta', delta: 'part' },
      { type: 'response.incomplete', response: { id: 'r1', model: 'gpt-x-1', status: 'incomplete', service_tier: 'flex', usage } },
    ]
    for await (const _ of await openai(network(sse(events))).responses.create({ model: 'gpt-x', input: 'hi', stream: true }));
    expect(tracked).toMatchObject([
      { data: { surface: 'openai.responses', status: 'ok', usage, response: { service_tier: 'flex' }, response_id: 'r1' } },
    ])
  })

  test('what is no call of a model passes untouched', async () => {
    await openai(network(json({ data: [] }))).models.list()
    expect(tracked).toEqual([])
  })
})

test('anthropic: the start tells the input, the last delta the rest', async () => {
  const start = { input_tokens: 21, cache_read_input_tokens: 1200, output_tokens: 2 }
  const events = [
    { type: 'message_start', message: { id: 'm1', type: 'message', role: 'assistant', model: 'claude-x-1', content: [], usage: start } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 57, input_tokens: null } },
    { type: 'message_stop' },
  ]
  const client = new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: meterFetch({ ...options(), fetch: network(sse(events)) }) })
  const message = await client.messages.stream({ model: 'claude-x', max_tokens: 100, messages: MESSAGES }).finalMessage()
  expect(message.content).toMatchObject([{ text: 'hello' }])
  expect(tracked).toMatchObject([
    { data: { surface: 'anthropic.messages', response_model: 'claude-x-1', usage: { ...start, output_tokens: 57 }, status: 'ok' } },
  ])
})

test('google: every chunk repeats the usage, and the last one counts', async () => {
  const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 3, thoughtsTokenCount: 20, totalTokenCount: 32 }
  const events = [
    { candidates: [{ content: { role: 'model', parts: [{ text: 'Hel' }] } }], usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 } },
    {
      candidates: [{ content: { role: 'model', parts: [{ text: 'lo' }] }, finishReason: 'STOP' }],
      usageMetadata,
      modelVersion: 'gemini-x-1',
      responseId: 'g1',
    },
  ]
  const fetch = meterFetch({ ...options(), fetch: network(sse(events)) })
  const google = new GoogleGenAI({ apiKey: 'k', httpOptions: { fetch } as never })
  let text = ''
  for await (const chunk of await google.models.generateContentStream({ model: 'gemini-x', contents: 'hi' })) text += chunk.text ?? ''
  expect(text).toBe('Hello')
  expect(tracked).toMatchObject([
    { data: { surface: 'google.generate_content', model: 'gemini-x', response_model: 'gemini-x-1', usage: usageMetadata } },
  ])
})
