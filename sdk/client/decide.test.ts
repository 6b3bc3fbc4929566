import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FaultyServer, startFaultyServer } from '../../test/support/servers/faulty-server.ts'
import { LimitReachedError, type TollgateError, UnsettledError } from './errors.ts'
import { createHttpCaller } from './http-caller.ts'
import type { Settlement } from './settlement.ts'
import { createTollgateClient, type TollgateClientOptions } from './tollgate-client.ts'

let server: FaultyServer
let errors: TollgateError[]

beforeEach(async () => {
  server = await startFaultyServer()
  errors = []
})
afterEach(async () => {
  await server.stop()
})

const clientOf = (options: Partial<TollgateClientOptions> = {}) =>
  createTollgateClient({
    url: server.url,
    key: 'tg_key',
    onError: (error) => errors.push(error),
    sleep: async () => undefined,
    random: () => 0,
    ...options,
  })
const sent = () => server.received.map(({ path, body }) => [path, JSON.parse(body)] as const)

describe('check', () => {
  test.each([
    { quantity: undefined, json: '"1"' },
    { quantity: '0.000000001', json: '"0.000000001"' },
    { quantity: 0.0000001, json: '1e-7' },
    { quantity: 12_345_678_901_234_567_890n, json: '"12345678901234567890"' },
  ])('asks with an exact quantity: $json', async ({ quantity, json }) => {
    expect(await clientOf().check('acme', 'tokens', quantity)).toMatchObject({ allowed: true, code: 'within_limit' })
    expect(server.received).toMatchObject([{ path: '/v1/decisions', body: `{"customer":"acme","feature":"tokens","quantity":${json}}` }])
  })

  test.each(['reset' as const, { status: 503 }, { status: 429, headers: { 'retry-after': '1' } }])(
    'is tried again after %o',
    async (fault) => {
      server.behave(fault)
      expect(await clientOf().check('acme', 'tokens')).toMatchObject({ allowed: true })
      expect(server.received.length).toBe(2)
    },
  )

  test('a mistake throws its code, and is not tried again', async () => {
    server.behave({ status: 404, body: { code: 'unknown_feature', detail: "There is no feature 'tokns'." } })
    const error = { name: 'RequestError', code: 'unknown_feature', status: 404, canRetry: false, message: "There is no feature 'tokns'." }
    await expect(clientOf().check('acme', 'tokns')).rejects.toMatchObject(error)
    expect(server.received.length).toBe(1)
  })

  test('a stalled server costs no more than the bound on a try, times the tries', async () => {
    server.behaveAlways('stall')
    let tries = 0
    const counting: typeof fetch = (...args) => {
      tries++
      return fetch(...args)
    }
    const checked = clientOf({ tryTimeoutMs: 20, triesMax: 3, fetch: counting }).check('acme', 'tokens')
    await expect(checked).rejects.toMatchObject({ code: 'timeout', status: 0, canRetry: true })
    expect(tries).toBe(3)
  })

  test('nor more than the bound on the whole call', async () => {
    server.behaveAlways('stall')
    const checked = clientOf({ decideWithinMs: 50 }).check('acme', 'tokens')
    await expect(checked).rejects.toMatchObject({ code: 'timeout', message: `${server.url} gave no answer within 50 ms and 1 tries` })
  })

  test('the bound on the whole call ends a wait between tries too', async () => {
    server.behaveAlways({ status: 503, headers: { 'retry-after': '9' } })
    const client = createTollgateClient({ url: server.url, key: 'tg_key', decideWithinMs: 50 })
    const error = await client.check('acme', 'tokens').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'timeout' })
    expect((error as TollgateError).cause).toMatchObject({ code: 'http_503' })
  })

  test('it can be aborted while the server stalls, between tries, and before it began', async () => {
    const abort = new AbortController()
    server.behave('stall')
    const stalled = clientOf().check('acme', 'tokens', '1', { signal: abort.signal })
    await server.request(1)
    abort.abort()
    await expect(stalled).rejects.toMatchObject({ name: 'AbortError' })

    const between = new AbortController()
    server.behave({ status: 503, headers: { 'retry-after': '3' } })
    const client = createTollgateClient({ url: server.url, key: 'tg_key' })
    const waiting = client.check('acme', 'tokens', '1', { signal: between.signal })
    await server.request(2)
    between.abort(new Error('the user left'))
    await expect(waiting).rejects.toThrow('the user left')

    await expect(clientOf().check('acme', 'tokens', '1', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' })
    expect(server.received.length).toBe(2)
  })
})

test.each([
  { header: '2', retryAfterMs: 2_000 },
  { header: 'Thu, 01 Jan 1970 00:01:00 GMT', retryAfterMs: 59_000 },
  { header: 'Thu, 01 Jan 1970 00:00:00 GMT', retryAfterMs: 0 },
  { header: 'soon', retryAfterMs: 0 },
  { header: '-5', retryAfterMs: 0 },
])('Retry-After: $header is $retryAfterMs ms', async ({ header, retryAfterMs }) => {
  server.behave({ status: 503, headers: { 'retry-after': header } })
  const options = { url: server.url, key: 'k', fetch, triesMax: 1, tryTimeoutMs: 5_000, backoffMinMs: 1, waitMsMax: 1, random: () => 0 }
  const call = createHttpCaller({ ...options, sleep: async () => undefined, now: () => 1_000 })
  await expect(call('/v1/decisions', '{}')).rejects.toMatchObject({ retryAfterMs })
})

describe('reservations', () => {
  test('have their id before the first try, the same on every try', async () => {
    server.behave('reset', { status: 503 })
    const reservation = await clientOf().reserve({ customer: 'acme', feature: 'tokens', quantity: '75', ttlMs: 5_000 })
    const bodies = server.received.map(({ body }) => body)
    expect(bodies).toEqual([bodies[0], bodies[0], bodies[0]])
    expect(JSON.parse(bodies[0] ?? '')).toEqual({ id: reservation.id, customer: 'acme', feature: 'tokens', quantity: '75', ttlMs: 5_000 })
  })

  test('settle, release and extend go to the reservation, with retries', async () => {
    const reservation = await clientOf().reserve({ id: 'order/7', customer: 'acme', feature: 'tokens', quantity: 75 })
    server.behave('reset')
    await reservation.settle(80, { model: 'large' })
    await reservation.release()
    await reservation.extend(9_000)
    expect(sent().slice(1)).toEqual([
      ['/v1/reservations/order%2F7/settle', { quantity: 80, data: { model: 'large' } }],
      ['/v1/reservations/order%2F7/settle', { quantity: 80, data: { model: 'large' } }],
      ['/v1/reservations/order%2F7/release', {}],
      ['/v1/reservations/order%2F7/extend', { ttlMs: 9_000 }],
    ])
  })

  test('a hard limit is an error of its own', async () => {
    server.behave({ status: 409, body: { code: 'hard_limit_reached', detail: '75 of 500 are left, 80 were asked for.' } })
    const reserved = clientOf().reserve({ customer: 'acme', feature: 'tokens', quantity: 80 })
    await expect(reserved).rejects.toBeInstanceOf(LimitReachedError)
    await expect(reserved).rejects.toMatchObject({ code: 'hard_limit_reached', status: 409, canRetry: false })
  })

  test('what was left when a hard limit said no is on the error', async () => {
    const reached = { limit: '500', used: '400', held: '25', remaining: '75', resetsAt: '2026-01-01T00:00:00.000Z' }
    server.behave({ status: 409, body: { code: 'hard_limit_reached', detail: 'Too much.', ...reached } })
    await expect(clientOf().reserve({ customer: 'acme', feature: 'tokens', quantity: 80 })).rejects.toMatchObject(reached)
  })

  test('settle hands on what was settled and refused, by the reservation or by its id', async () => {
    const reservation = await clientOf().reserve({ id: 'r', customer: 'acme', feature: 'tokens', quantity: 75 })
    const answer = { id: 'r', status: 'settled', settled: '1794', refused: '3206' }
    server.behave({ status: 200, body: answer }, { status: 200, body: answer })
    expect(await reservation.settle(5_000)).toEqual(answer)
    const events = [{ type: 'llm.request', data: { input_tokens: 5_000 }, time: new Date(0) }]
    expect(await clientOf().settle('r', { events })).toEqual(answer)
    expect(sent().slice(1)).toEqual([
      ['/v1/reservations/r/settle', { quantity: 5_000 }],
      ['/v1/reservations/r/settle', { events: [{ ...events[0], time: '1970-01-01T00:00:00.000Z' }] }],
    ])
  })

  test('reserve with settle decides and settles in one call', async () => {
    const answer = { id: 'r', status: 'settled', settled: '1', refused: '0' }
    server.behave({ status: 201, body: answer })
    const request = { id: 'r', customer: 'acme', feature: 'calls', quantity: 1n, data: { model: 'm' }, settle: true } as const
    expect(await clientOf().reserve(request)).toEqual(answer)
    expect(sent()).toEqual([['/v1/reservations', { ...request, quantity: '1' }]])
  })
})

describe('withReservation', () => {
  const ends = () =>
    sent()
      .slice(1)
      .map(([path, body]) => `${path.split('/').at(-1)} ${body.quantity ?? ''}`.trim())

  test.each([
    { name: 'what was said last', use: ['10', '42'], ends: ['settle 42'] },
    { name: 'the estimate when nothing was said', use: [], ends: ['settle 100'] },
    { name: 'nothing, when nothing was used', use: ['0'], ends: ['release'] },
  ])('settles $name', async ({ use, ends: expected }) => {
    const result = await clientOf().withReservation('acme', 'tokens', '100', async (hold) => {
      for (const quantity of use) hold.use(quantity)
      return 'answer'
    })
    expect([result, ends()]).toEqual(['answer', expected])
  })

  test.each([
    { name: 'releases', use: [], ends: ['release'] },
    { name: 'settles what was used by then', use: ['42'], ends: ['settle 42'] },
  ])('when the work throws it $name, and the error comes through', async ({ use, ends: expected }) => {
    const worked = clientOf().withReservation('acme', 'tokens', '100', async (hold) => {
      for (const quantity of use) hold.use(quantity)
      throw new Error('the model hung up')
    })
    await expect(worked).rejects.toThrow('the model hung up')
    expect([ends(), errors]).toEqual([expected, []])
  })

  test('what was settled and refused is told, and a callback that throws loses no result', async () => {
    const settlements: Settlement[] = []
    const answer = { id: 'r', status: 'settled', settled: '90', refused: '10' }
    const client = clientOf()
    const result = await client.withReservation(
      'acme',
      'tokens',
      '80',
      async (hold) => {
        hold.use({ events: [{ type: 't', data: { tokens: 100 } }] })
        server.behave({ status: 200, body: answer })
        return 'answer'
      },
      {
        onSettled(settlement) {
          settlements.push(settlement)
          throw new Error('of the app')
        },
      },
    )
    expect([result, settlements]).toEqual(['answer', [answer]])
    expect(sent().at(-1)?.[1]).toEqual({ events: [{ type: 't', data: { tokens: 100 } }] })
  })

  test('the work may end its hold by itself', async () => {
    const client = clientOf()
    await client.withReservation('acme', 'tokens', '100', async (hold) => void (await hold.settle('7')))
    await client.withReservation('acme', 'tokens', '100', (hold) => hold.release())
    expect(sent().map(([path]) => path.split('/').at(-1))).toEqual(['reservations', 'settle', 'reservations', 'release'])
  })

  test('nothing runs when nothing could be held', async () => {
    server.behave({ status: 409, body: { code: 'hard_limit_reached', detail: 'Nothing is left.' } })
    let hasRun = false
    const worked = clientOf().withReservation('acme', 'tokens', '100', async () => {
      hasRun = true
    })
    await expect(worked).rejects.toBeInstanceOf(LimitReachedError)
    expect(hasRun).toBe(false)
  })

  test('a result is not lost when only the settling failed', async () => {
    const client = clientOf({ triesMax: 2 })
    const worked = client.withReservation('acme', 'tokens', '100', async (hold) => {
      hold.use('42')
      server.behaveAlways({ status: 503, body: { code: 'counters_unavailable', detail: 'Counters are away.' } })
      return 'answer'
    })
    const error = await worked.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(UnsettledError)
    const reservation = sent().at(0)?.[1].id
    expect(error).toMatchObject({ code: 'counters_unavailable', canRetry: true, result: 'answer', used: { quantity: '42' }, reservation })
    expect(ends()).toEqual(['settle 42', 'settle 42'])
  })

  test('when the work throws and the release fails too, the work tells its error and the client the other', async () => {
    const worked = clientOf({ triesMax: 1 }).withReservation('acme', 'tokens', '100', async () => {
      server.behaveAlways('reset')
      throw new Error('the model hung up')
    })
    await expect(worked).rejects.toThrow('the model hung up')
    expect(errors).toMatchObject([{ code: 'unreachable' }])
  })
})
