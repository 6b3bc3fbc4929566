import { createServer, type Server } from 'node:http'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { meterFetch } from '../../sdk/ai/meter-fetch.ts'
import { LimitReachedError } from '../../sdk/client/errors.ts'
import { createTollgateClient, type TollgateClient } from '../../sdk/client/tollgate-client.ts'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

const USAGE = { prompt_tokens: 40, completion_tokens: 10, total_tokens: 50 }

describe('an app that meters its calls of a model', () => {
  let tollgate: TollgateProcess
  let client: TollgateClient
  let provider: Server
  let address: string
  let calls = 0

  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('POST', '/v1/presets/ai')
    await tollgate.ok('PUT', '/v1/model-costs/local/gpt-x', {
      rates: [{ kinds: ['input_text_tokens', 'output_text_tokens'], amount: '2' }],
    })
    await tollgate.ok('PUT', '/v1/products/ai', { name: 'AI' })
    const entitlements = [{ feature: 'ai_tokens', limit: '1000', limitType: 'hard', reset: 'month' }]
    await tollgate.ok('PUT', '/v1/plans/pro', { product: 'ai', name: 'Pro', currency: 'EUR', interval: 'month', entitlements })
    for (const customer of ['acme', 'ebb']) {
      await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
      await tollgate.ok('POST', '/v1/subscriptions', { customer, plan: 'pro' })
    }
    client = createTollgateClient({ url: tollgate.url, key: tollgate.adminKey, flushIntervalMs: 20 })
    provider = createServer((request, response) => {
      calls++
      request.resume().on('end', () => {
        const message = { role: 'assistant', content: 'hello' }
        response.setHeader('content-type', 'application/json')
        response.end(
          JSON.stringify({ id: `c${calls}`, model: 'gpt-x', choices: [{ index: 0, message, finish_reason: 'stop' }], usage: USAGE }),
        )
      })
    })
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve))
    address = `http://127.0.0.1:${(provider.address() as { port: number }).port}/v1`
  })
  afterAll(async () => {
    await client.close()
    provider.close()
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })
  const balance = async (customer: string) => {
    const { used, held, remaining } = await client.balance(customer, 'ai_tokens')
    return { used, held, remaining }
  }

  test('holds before the call; the event of the call ends its hold with what was really used', async () => {
    const reserve = { feature: 'ai_tokens', estimate: 300 }
    const fetch = meterFetch({ tollgate: client, customer: 'acme', reserve })
    const openai = new OpenAI({ apiKey: 'k', baseURL: address, maxRetries: 0, fetch })
    await openai.chat.completions.create({ model: 'gpt-x', messages: [{ role: 'user', content: 'hi' }] })
    await waitFor(async () => (await balance('acme')).held === '0')
    expect(await balance('acme')).toEqual({ used: '50', held: '0', remaining: '950' })
  })

  test('never passes a hard limit, and refuses before the provider is called', async () => {
    const fetch = meterFetch({ tollgate: client, customer: 'acme', reserve: { feature: 'ai_tokens', estimate: 951 } })
    const openai = new OpenAI({ apiKey: 'k', baseURL: address, maxRetries: 0, fetch })
    const before = calls
    const error: unknown = await openai.chat.completions.create({ model: 'gpt-x', messages: [] }).catch((caught: unknown) => caught)
    expect(error instanceof LimitReachedError || (error as Error).cause instanceof LimitReachedError).toBe(true)
    expect(calls).toBe(before)
  })

  test.each([
    ['an event that counts for the feature', { type: 'llm.request', data: { input_tokens: 7, output_tokens: 5 } }, '12'],
    ['an event that counts for nothing there', { type: 'other', data: {} }, '12'],
  ])('%s ends a hold, whoever sends it', async (_what, event, used) => {
    const { id } = await client.reserve({ customer: 'ebb', feature: 'ai_tokens', quantity: 500 })
    expect(await balance('ebb')).toMatchObject({ held: '500' })
    client.track({ ...event, customer: 'ebb', reservation: id })
    await client.flush()
    await waitFor(async () => (await balance('ebb')).held === '0')
    expect(await balance('ebb')).toMatchObject({ used, held: '0' })
  })

  test('a name that is not held changes nothing, nor does the hold of another customer end', async () => {
    const { id, release } = await client.reserve({ customer: 'acme', feature: 'ai_tokens', quantity: 100 })
    client.track({ id: 'strange', type: 'other', customer: 'ebb', reservation: id })
    client.track({
      id: 'unheld',
      type: 'llm.request',
      customer: 'acme',
      data: { input_tokens: 1, output_tokens: 0 },
      reservation: 'no-such-hold',
    })
    await client.flush()
    await waitFor(async () => (await balance('acme')).used === '51')
    expect(await balance('acme')).toMatchObject({ held: '100' })
    await release()
  })
})
