import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

const RATES = [
  { kinds: ['input_text_tokens'], amount: '3' },
  { kinds: ['cache_read_tokens'], amount: '0.3' },
  { kinds: ['cache_write_tokens'], amount: '3.75' },
  { kinds: ['output_text_tokens'], amount: '15' },
]
const USAGE = { input_tokens: 21, cache_read_input_tokens: 1200, cache_creation_input_tokens: 300, output_tokens: 57 }
/** 21 × 3 + 1200 × 0.3 + 300 × 3.75 + 57 × 15 */
const COST = '2403'

describe('a call of a model over HTTP', () => {
  let tollgate: TollgateProcess
  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('POST', '/v1/presets/ai')
    await tollgate.ok('PUT', '/v1/model-costs/anthropic/claude-x', { aliases: ['claude-x-*'], rates: RATES })
  })
  afterAll(async () => {
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })
  const send = (event: object) => tollgate.ok('POST', '/v1/events', { type: 'llm.request', customer: 'acme', ...event })
  const dataOf = async (id: string) => {
    let found: Record<string, unknown> = {}
    await waitFor(async () => {
      const { status, body } = await tollgate.call('GET', `/v1/events/${encodeURIComponent(id)}?customer=acme`)
      if (status === 200) found = (body as { data: Record<string, unknown> }).data
      return status === 200
    })
    return found
  }

  test('is kept raw, in our words, and with its cost; meters read all of it', async () => {
    const data = { surface: 'anthropic.messages', model: 'claude-x', response_model: 'claude-x-2026', usage: USAGE, team: 'a' }
    expect(await send({ id: 'call-1', data })).toMatchObject({ accepted: 1, rejected: [] })
    expect(await dataOf('call-1')).toMatchObject({
      ...data,
      ...{ provider: 'anthropic', operation: 'chat', status: 'ok', usage_basis: 'reported', input_tokens: 1521, cache_write_tokens: 300 },
      ...{ cost_micros: COST, cost_rates: 'anthropic/claude-x@1' },
    })
    await waitFor(async () => {
      const usage = await tollgate.ok('GET', '/v1/meters/ai_cost/usage?customer=acme&groupBy=model,operation')
      return JSON.stringify(usage).includes(`"value":"${COST}"`)
    })
    expect(await tollgate.ok('GET', '/v1/meters/ai_tokens/usage?customer=acme')).toMatchObject({ data: [{ value: '1578', events: 1 }] })
  })

  test('a new revision prices what comes, and no stamp moves', async () => {
    const past = { rates: RATES.map((rate) => ({ ...rate, amount: '1' })), aliases: ['claude-x-*'], effectiveFrom: '2026-01-01T00:00:00Z' }
    expect(await tollgate.call('PUT', '/v1/model-costs/anthropic/claude-x', past)).toMatchObject({
      status: 422,
      body: { code: 'reason_missing' },
    })
    const put = await tollgate.call('PUT', '/v1/model-costs/anthropic/claude-x', { ...past, reason: 'typed wrong' })
    expect(put).toMatchObject({ status: 201, body: { revision: 2, stampedEvents: 0 } })
    await send({ id: 'call-2', data: { surface: 'anthropic.messages', model: 'claude-x', usage: USAGE } })
    expect(await dataOf('call-2')).toMatchObject({ cost_micros: COST, cost_rates: 'anthropic/claude-x@1' })
    await tollgate.ok('PUT', '/v1/model-costs/anthropic/claude-x', { aliases: [], rates: RATES.map((rate) => ({ ...rate, amount: '2' })) })
    await send({ id: 'call-3', data: { surface: 'anthropic.messages', model: 'claude-x', usage: USAGE } })
    expect(await dataOf('call-3')).toMatchObject({ cost_rates: 'anthropic/claude-x@3', cost_micros: '3156' })
    expect(await dataOf('call-1')).toMatchObject({ cost_micros: COST })
  })

  test('calls within a call are events of their own, and the answer counts what was sent', async () => {
    const usage = { ...USAGE, iterations: [{ type: 'advisor_message', model: 'advisor', input_tokens: 5, output_tokens: 1 }] }
    expect(await send({ id: 'call-4', data: { surface: 'anthropic.messages', model: 'claude-x', usage } })).toMatchObject({ accepted: 1 })
    expect(await dataOf('call-4/1')).toMatchObject({ tool: 'advisor', model: 'advisor', input_tokens: 5, cost_status: 'no_model' })
  })

  test('nothing is silent: what cannot be read or priced is kept, warned of and listed', async () => {
    const unknown = await send({ id: 'odd-1', data: { surface: 'nobody.chat', model: 'm', usage: { tokens: 1 } } })
    expect(unknown).toMatchObject({
      accepted: 1,
      warnings: expect.arrayContaining([expect.objectContaining({ code: 'unknown_surface', id: 'odd-1' })]),
    })
    const bad = await send({ id: 'odd-2', data: { surface: 'openai.chat', model: 'm', usage: { prompt_tokens: -1 } } })
    expect(bad).toMatchObject({ warnings: expect.arrayContaining([expect.objectContaining({ code: 'unreadable_value' })]) })
    expect(await dataOf('odd-2')).toMatchObject({
      usage: { prompt_tokens: -1 },
      usage_basis: 'none',
      usage_warning: 'unreadable',
      cost_status: 'no_usage',
    })
    await send({ id: 'odd-3', data: { provider: 'Mistral', model: 'm', input_tokens: 3, output_tokens: 4, cost_micros: 12 } })
    expect(await dataOf('odd-3')).toMatchObject({ provider: 'mistral_ai', reported_cost_micros: '12', cost_status: 'no_model' })
    expect(await tollgate.ok('GET', '/v1/model-costs/unpriced')).toMatchObject({
      data: expect.arrayContaining([
        expect.objectContaining({ provider: 'mistral_ai', model: 'm', status: 'no_model', count: 1, samples: ['odd-3'] }),
      ]),
      complete: true,
    })
    expect(await tollgate.ok('GET', '/v1/model-calls/status')).toMatchObject({
      byWarning: { unreadable: 1 },
      bySurface: { 'nobody.chat': 1 },
    })
  })

  test('an event without surface, provider or model stays as it was sent', async () => {
    const data = { input_tokens: 7, output_tokens: 8, model: 'large' }
    await send({ id: 'plain', data })
    expect(await dataOf('plain')).toEqual(data)
  })

  test('raw usage of more than 4 KiB is not kept, what was read of it is', async () => {
    const usage = { prompt_tokens: 3, completion_tokens: 1, noise: 'x'.repeat(5_000) }
    await send({ id: 'large', data: { surface: 'openai.chat', model: 'm', usage } })
    const kept = await dataOf('large')
    expect(kept).toMatchObject({ input_tokens: 3, usage_warning: 'raw_dropped' })
    expect(kept.usage).toBeUndefined()
  })

  test('a quote says line by line what a call would cost', async () => {
    const quote = { provider: 'anthropic', model: 'claude-x', usage: { input_tokens: 1000, output_tokens: 10 } }
    expect(await tollgate.ok('POST', '/v1/model-costs/quote', quote)).toMatchObject({
      ...{ cost_micros: '2020', currency: 'USD', cost_rates: 'anthropic/claude-x@3' },
      lines: [{ kind: 'input_text_tokens', quantity: '1000', amount: '2', micros: '2000' }, { micros: '20' }],
    })
    expect(await tollgate.ok('POST', '/v1/model-costs/quote', { ...quote, model: 'none' })).toMatchObject({
      cost_status: 'no_model',
      lines: [],
    })
  })

  test.each([
    ['a rate below zero', { rates: [{ kinds: ['images'], amount: '-1' }] }, 'rates[0].amount'],
    ['a block of nothing', { rates: [{ kinds: ['images'], amount: '1', per: '0' }] }, 'rates[0].per'],
    ['an unknown kind', { rates: [{ kinds: ['thoughts'], amount: '1' }] }, 'rates[0].kinds[0]'],
    [
      'two rates that fit equally',
      {
        rates: [
          { kinds: ['images'], amount: '1' },
          { kinds: ['pages', 'images'], amount: '2' },
        ],
      },
      'rates[1]',
    ],
    ['hours that are none', { rates: [{ kinds: ['images'], amount: '1', when: { utc: '25:00-26:00' } }] }, 'rates[0].when.utc'],
    ['an alias with two stars', { aliases: ['*a*'], rates: [] }, 'aliases[0]'],
  ])('%s is refused by its field', async (_what, body, field) => {
    expect(await tollgate.call('PUT', '/v1/model-costs/p/m', body)).toMatchObject({
      status: 422,
      body: { code: 'invalid_model_cost', errors: [{ field }] },
    })
  })
})
