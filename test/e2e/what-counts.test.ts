import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

type Warnings = { accepted: number; warnings?: { code: string; detail: string }[] }
type Usage = { data: { value: string; events: number }[] }

/** Real payloads that once counted as nothing, each with its right result and one of a kind whose table stands beside the source. */
describe('every sent value counts, or is named in a warning', () => {
  let tollgate: TollgateProcess
  let eventsSent = 0

  beforeAll(async () => {
    tollgate = await startTollgate()
  })
  afterAll(async () => {
    await tollgate.stop()
    await removeDirectory(tollgate.dataDir)
  })

  const send = async (type: string, customer: string, data: unknown, more: Record<string, unknown> = {}) =>
    (await tollgate.ok('POST', '/v1/events', { id: `e${++eventsSent}`, type, customer, data, ...more })) as Warnings
  const codesOf = ({ warnings = [] }: Warnings) => warnings.map(({ code }) => code)
  const usageOf = async (meter: string, customer: string) => {
    const day = new Date().toISOString().slice(0, 10)
    const to = new Date(Date.parse(day) + 2 * 86_400_000).toISOString()
    const from = new Date(Date.parse(day) - 86_400_000).toISOString()
    const { data } = (await tollgate.ok('GET', `/v1/meters/${meter}/usage?customer=${customer}&from=${from}&to=${to}`)) as Usage
    return data[0] ?? { value: '0', events: 0 }
  }

  test.each([
    { why: 'more digits than are kept', value: 'n', data: { n: 0.1 + 0.2 }, counts: '0.3' },
    { why: 'a duration of performance.now()', value: 'n', data: { n: 12.345678901234 }, counts: '12.345678901' },
    { why: 'an exponent in text', value: 'n', data: { n: '1e-5' }, counts: '0.00001' },
    {
      why: 'a name with dots inside an object',
      value: 'attributes["gen_ai.usage.input_tokens"]',
      data: { attributes: { 'gen_ai.usage.input_tokens': 300 } },
      counts: '300',
    },
    {
      why: 'what was not cached of the prompt',
      value: 'usage.prompt_tokens - coalesce(usage.prompt_tokens_details.cached_tokens, 0)',
      data: { usage: { prompt_tokens: 2006, prompt_tokens_details: { cached_tokens: 1920 } } },
      counts: '86',
    },
    { why: 'a path from the root', value: '$.usage.prompt_tokens', data: { usage: { prompt_tokens: 7 } }, counts: '7' },
    { why: 'credits', value: 'input + 0.2 * output', data: { input: 3, output: 7 }, counts: '4.4' },
    {
      why: 'one of two values that cannot be read',
      value: ['input', 'output'],
      data: { input: 5, output: 'abc' },
      counts: '0',
      warns: 'unreadable_value',
    },
    { why: 'a value below zero', value: 'n', data: { n: -5000 }, counts: '0', warns: 'unreadable_value' },
  ])('$why', async ({ value, data, counts, warns }) => {
    const type = `t${eventsSent}`
    await tollgate.ok('PUT', `/v1/meters/${type}`, { eventType: type, aggregation: 'sum', value })
    expect(codesOf(await send(type, 'c', data))).toEqual(warns === undefined ? [] : [warns])
    if (counts !== '0') await waitFor(async () => (await usageOf(type, 'c')).events === 1)
    expect((await usageOf(type, 'c')).value).toBe(counts)
  })

  test('a rounded value is marked where events are listed', async () => {
    await tollgate.ok('PUT', '/v1/meters/marked', { eventType: 'marked', aggregation: 'sum', value: 'n' })
    await send('marked', 'marked', { n: 0.1 + 0.2 })
    const listed = async () => ((await tollgate.ok('GET', '/v1/events?customer=marked')) as { data: { rounded: unknown }[] }).data
    await waitFor(async () => (await listed()).length === 1)
    expect(await listed()).toMatchObject([{ rounded: [{ meter: 'marked', counted: '0.3' }], uncounted: [] }])
  })

  test('a misspelt type, a customer in other case and fields beside data are warned of, and listed', async () => {
    await tollgate.ok('PUT', '/v1/meters/requests', { eventType: 'llm.request', aggregation: 'sum', value: 'tokens' })
    await tollgate.ok('PUT', '/v1/customers/acme', {})
    const answer = await send('llm.requst', 'Acme', undefined, { tokens: 3, timestamp: '2026-07-01T00:00:00Z' })
    expect(answer.accepted).toBe(1)
    expect(codesOf(answer).sort()).toEqual(['similar_customer', 'stray_field', 'unread_type'])
    expect(codesOf(await send('llm.request', 'acme', undefined, { tokens: 3 })).sort()).toEqual(['stray_field', 'unreadable_value'])
    const uncounted = async () => ((await tollgate.ok('GET', '/v1/events/uncounted?customer=Acme')) as { data: unknown[] }).data
    await waitFor(async () => (await uncounted()).length === 1)
    expect(await tollgate.ok('GET', '/v1/events/uncounted?customer=Acme')).toMatchObject({
      data: [
        { type: 'llm.requst', meter: null, reason: 'unread_type', count: 1, since: expect.any(String), samples: [`e${eventsSent - 1}`] },
      ],
      complete: true,
    })
    const missing = async () => ((await tollgate.ok('GET', '/v1/events/uncounted?customer=acme')) as { data: unknown[] }).data
    await waitFor(async () => (await missing()).length === 1)
    expect(await missing()).toMatchObject([{ type: 'llm.request', meter: 'requests', reason: 'missing', count: 1 }])
  })

  describe('GET /v1/events?counted=&meter=', () => {
    beforeAll(async () => {
      await tollgate.ok('PUT', '/v1/meters/cards', {
        eventType: 'swipe',
        aggregation: 'sum',
        value: 'cents',
        where: { kind: { equals: 'card' } },
      })
      await tollgate.ok('PUT', '/v1/meters/points', { eventType: 'swipe', aggregation: 'sum', value: 'points' })
      const sent = [
        { id: 'both', type: 'swipe', data: { kind: 'card', cents: 5, points: 1 } },
        { id: 'no points', type: 'swipe', data: { kind: 'card', cents: 5 } },
        { id: 'no cents', type: 'swipe', data: { kind: 'card', points: 1 } },
        { id: 'not a card', type: 'swipe', data: { kind: 'cash', points: 1 } },
        { id: 'no meter', type: 'swype', data: {} },
      ]
      await tollgate.ok(
        'POST',
        '/v1/events',
        sent.map((event) => ({ ...event, customer: 'lists' })),
      )
    })

    test.each([
      { query: 'counted=true', ids: ['both', 'not a card'] },
      { query: 'counted=false', ids: ['no cents', 'no meter', 'no points'] },
      { query: 'counted=false&type=swype', ids: ['no meter'] },
      { query: 'meter=cards', ids: ['both', 'no cents', 'no points'] },
      { query: 'meter=cards&counted=true', ids: ['both', 'no points'] },
      { query: 'meter=cards&counted=false', ids: ['no cents'] },
      { query: 'meter=points&counted=false', ids: ['no points'] },
      { query: 'meter=points&type=other', ids: [] },
      { query: 'id=both', ids: ['both'] },
      { query: 'source=elsewhere', ids: [] },
    ])('$query', async ({ query, ids }) => {
      type Page = { data: { id: string }[]; nextCursor: string | null }
      const path = `/v1/events?customer=lists&waitMs=10000&${query}`
      const whole = await tollgate.ok<Page>('GET', path)
      expect(whole.data.map(({ id }) => id).sort()).toEqual(ids)
      const paged: string[] = []
      for (let cursor = ''; ; ) {
        const page = await tollgate.ok<Page>('GET', `${path}&limit=1${cursor}`)
        paged.push(...page.data.map(({ id }) => id))
        if (page.nextCursor === null) break
        cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`
      }
      expect(paged.sort()).toEqual(ids)
    })

    test('an unknown meter is 404', async () => {
      expect(await tollgate.call('GET', '/v1/events?meter=nothing')).toMatchObject({ status: 404, body: { code: 'unknown_meter' } })
    })
  })

  test.each(['usage.prompt_tokens-usage.cached', 'a b', 'min(a, b)', 'a / b', '$.'])(
    '%j could never count, and is refused',
    async (value) => {
      const answer = await tollgate.call('PUT', '/v1/meters/refused', { eventType: 't', aggregation: 'sum', value })
      expect(answer).toMatchObject({
        status: 400,
        body: { code: 'invalid_meter', errors: [{ field: 'value', code: 'invalid_expression' }] },
      })
    },
  )

  test('a meter of a type that no event may have is refused', async () => {
    const answer = await tollgate.call('PUT', '/v1/meters/long', { eventType: 'x'.repeat(129), aggregation: 'count' })
    expect(answer.status).toBe(400)
  })
})
