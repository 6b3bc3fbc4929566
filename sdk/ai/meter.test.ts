import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { embed, generateText, streamText } from 'ai'
import { beforeEach, describe, expect, test } from 'vitest'
import { LimitReachedError } from '../client/errors.ts'
import { meter, meterProvider } from './meter.ts'
import type { MeterOptions, ReserveOptions } from './metered-call.ts'

type Tracked = { readonly id: string; readonly customer: string; readonly reservation?: string; readonly data: Record<string, unknown> }
let tracked: Tracked[]
let released: number
let bodies: Record<string, unknown>[]

beforeEach(() => {
  tracked = []
  released = 0
  bodies = []
})

function options(reserve?: ReserveOptions, limit = Number.POSITIVE_INFINITY): MeterOptions {
  const tollgate = {
    track: (event: Tracked) => {
      tracked.push(event)
      return event.id
    },
    flush: async () => undefined,
    async reserve({ quantity }: { quantity: number }) {
      if (Number(quantity) > limit) throw new LimitReachedError('the limit is reached', 409)
      return { id: 'hold-1', quantity, extend: async () => undefined, release: async () => void released++ }
    },
  }
  return { tollgate: tollgate as unknown as MeterOptions['tollgate'], customer: 'acme', ...(reserve === undefined ? {} : { reserve }) }
}

const answering =
  (answer: () => Response): typeof globalThis.fetch =>
  async (_input, init) => {
    bodies.push(JSON.parse(String(init?.body)))
    init?.signal?.throwIfAborted()
    return answer()
  }
const sse = (events: readonly Record<string, unknown>[]) => () => {
  const text = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
  return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
}

async function textOf(stream: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const part of stream) text += part
  return text
}

const COMPLETION = {
  ...{ id: 'c1', object: 'chat.completion', created: 1, model: 'gpt-x-1' },
  choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1000, completion_tokens: 50, total_tokens: 1050, prompt_tokens_details: { cached_tokens: 640 } },
}
const MESSAGES = [
  {
    type: 'message_start',
    message: {
      id: 'm1',
      type: 'message',
      role: 'assistant',
      model: 'claude-x-1',
      content: [],
      stop_reason: null,
      usage: { input_tokens: 21, cache_read_input_tokens: 1200, cache_creation_input_tokens: 0, output_tokens: 2 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 57 } },
  { type: 'message_stop' },
]
const openai = (answer: () => Response) => createOpenAI({ apiKey: 'k', fetch: answering(answer) })

describe('meter around models of the AI SDK', () => {
  test('a text is one event, of the specification of its model', async () => {
    const model = openai(() => Response.json(COMPLETION)).chat('gpt-x')
    const { text } = await generateText({ model: meter(model, options()), prompt: 'hi' })
    expect(text).toBe('hello')
    expect(tracked).toMatchObject([
      {
        customer: 'acme',
        data: {
          ...{ surface: `ai-sdk.${model.specificationVersion}`, model: 'gpt-x', response_model: 'gpt-x-1', status: 'ok' },
          ...{
            response: { provider: 'openai.chat' },
            usage: { inputTokens: { total: 1000, cacheRead: 640 }, outputTokens: { total: 50 } },
          },
        },
      },
    ])
  })

  test('a stream passes part by part, and its end is told once', async () => {
    const anthropic = createAnthropic({ apiKey: 'k', fetch: answering(sse(MESSAGES)) })
    const { textStream } = streamText({ model: meter(anthropic('claude-x'), options()), prompt: 'hi', maxOutputTokens: 100 })
    expect(await textOf(textStream)).toBe('hello')
    expect(tracked).toMatchObject([{ data: { status: 'ok', usage: { inputTokens: { total: 1221 }, outputTokens: { total: 57 } } } }])
  })

  test('a stream that is cut is told with what its start said', async () => {
    const anthropic = createAnthropic({ apiKey: 'k', fetch: answering(sse(MESSAGES.slice(0, 3))) })
    const { textStream } = streamText({
      model: meter(anthropic('claude-x'), options()),
      prompt: 'hi',
      maxOutputTokens: 100,
      onError: () => undefined,
    })
    await textOf(textStream).catch(() => undefined)
    expect(tracked).toHaveLength(1)
    expect(tracked[0]?.data.status).not.toBe('ok')
    expect(tracked[0]?.data).toMatchObject({ received_chars: 5 })
  })

  test('a hold bounds the output; at the limit no call is made', async () => {
    const model = openai(() => Response.json(COMPLETION)).chat('gpt-x')
    await generateText({ model: meter(model, options({ feature: 'ai_tokens', estimate: 200 })), prompt: 'hi', maxOutputTokens: 9_000 })
    expect(Number(bodies[0]?.max_tokens ?? bodies[0]?.max_completion_tokens)).toBeLessThan(200)
    expect(tracked).toMatchObject([{ reservation: 'hold-1' }])
    const limited = meter(model, options({ feature: 'ai_tokens' }, 1))
    await expect(generateText({ model: limited, prompt: 'hi', maxRetries: 0 })).rejects.toThrow(LimitReachedError)
    expect(bodies).toHaveLength(1)
  })

  test('an error without usage gives the hold back, and is no event', async () => {
    const model = openai(() => Response.json({ error: { message: 'no' } }, { status: 400 })).chat('gpt-x')
    await expect(generateText({ model: meter(model, options({ feature: 'ai_tokens' })), prompt: 'hi', maxRetries: 0 })).rejects.toThrow()
    expect([tracked.length, released]).toEqual([0, 1])
  })

  test('all models of a provider are metered, embeddings too', async () => {
    const answer = {
      object: 'list',
      model: 'embed-x',
      data: [{ embedding: [0.1], index: 0 }],
      usage: { prompt_tokens: 12, total_tokens: 12 },
    }
    const provider = meterProvider(
      openai(() => Response.json(answer)),
      options(),
    )
    await embed({ model: provider.textEmbeddingModel('embed-x'), value: 'hi' })
    expect(tracked).toMatchObject([{ data: { surface: 'ai-sdk.embedding', model: 'embed-x', usage: { tokens: 12 } } }])
  })
})
