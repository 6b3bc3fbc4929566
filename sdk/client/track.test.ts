import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type FaultyServer, startFaultyServer } from '../../test/support/servers/faulty-server.ts'
import { type TollgateError, UnavailableError } from './errors.ts'
import { createEventQueue, type DroppedEvents, type EventWarning } from './event-queue.ts'
import { createTollgateClient, type TollgateClient, type TollgateClientOptions } from './tollgate-client.ts'

let server: FaultyServer
let dropped: DroppedEvents[]
let errors: TollgateError[]
let waitsMs: number[]
const clients: TollgateClient[] = []

beforeEach(async () => {
  server = await startFaultyServer()
  dropped = []
  errors = []
  waitsMs = []
})
afterEach(async () => {
  server.behaveAlways(null)
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await server.stop()
})

/** Sleeps take no time and are recorded; on its own the client flushes only when a batch is full. */
function clientOf(options: Partial<TollgateClientOptions> = {}): TollgateClient {
  const client = createTollgateClient({
    url: server.url,
    key: 'tg_key',
    flushIntervalMs: 3_600_000,
    onDrop: (drop) => dropped.push(drop),
    onError: (error) => errors.push(error),
    sleep: async (ms) => {
      waitsMs.push(ms)
    },
    random: () => 0,
    ...options,
  })
  clients.push(client)
  return client
}
const trackMany = (client: TollgateClient, count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => client.track({ id: `e-${from + index}`, type: 'llm.request', customer: 'acme' }))
const keptIds = () => server.kept.map(({ id }) => id)
const idsUpTo = (count: number) => Array.from({ length: count }, (_, index) => `e-${index}`)
const droppedIds = () => dropped.map(({ reason, code, events }) => `${reason} ${code}: ${events.map(({ id }) => id).join(' ')}`)

describe('what is sent', () => {
  test('an event, with an id, a time and the key', async () => {
    const client = clientOf({ url: `${server.url}/` })
    const id = client.track({ type: 'llm.request', customer: 'acme', source: 'chat', time: new Date(0), data: { tokens: 12 } })
    await client.flush()
    expect(server.received).toMatchObject([{ method: 'POST', path: '/v1/events', authorization: 'Bearer tg_key' }])
    expect(server.kept).toEqual([
      { id, type: 'llm.request', customer: 'acme', source: 'chat', time: '1970-01-01T00:00:00.000Z', data: { tokens: 12 } },
    ])
    // What the app's clock shows while sending, by which the server puts times right.
    expect(Math.abs(Date.parse(server.received[0]?.sentAt ?? '') - Date.now())).toBeLessThan(60_000)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test.each([
    { why: 'a Date of no instant', time: new Date('garbage') },
    { why: 'a number', time: 1_700_000_000 },
    { why: 'an object', time: Object.create(null) },
  ])('a time that is none is told and thrown at nobody: $why', async ({ time }) => {
    const client = clientOf()
    expect(client.track({ id: 'e-0', type: 't', customer: 'acme', time: time as Date })).toBeNull()
    expect(droppedIds()).toEqual(['rejected invalid_time: e-0'])
    await client.flush()
    expect(server.received).toEqual([])
  })

  test("a time that is null is now, a text is the server's to read, and nothing at all is refused like an event", async () => {
    const client = clientOf()
    const beforeMs = Date.now()
    for (const time of [null, '2024-01-31T00:00:00+01:00']) client.track({ type: 't', customer: 'acme', time: time as unknown as string })
    client.track(undefined as unknown as { type: string; customer: string })
    await client.flush()
    const [now, text] = server.kept.map(({ time }) => time as string)
    expect(Date.parse(now ?? '')).toBeGreaterThanOrEqual(beforeMs)
    expect(text).toBe('2024-01-31T00:00:00+01:00')
  })

  test('the data as it was when it was tracked', async () => {
    const client = clientOf()
    const data = { tokens: 1 }
    client.track({ type: 't', customer: 'acme', data })
    data.tokens = 2
    await client.flush()
    expect(server.kept).toMatchObject([{ data: { tokens: 1 } }])
  })

  test('full batches without being asked, the rest after the flush interval', async () => {
    const client = clientOf({ batchEventsMax: 4, flushIntervalMs: 5 })
    trackMany(client, 6)
    await server.request(2)
    expect(server.received.map(({ body }) => (JSON.parse(body) as unknown[]).length)).toEqual([4, 2])
  })

  test('batches of bounded size', async () => {
    const client = clientOf({ batchBytesMax: 300 })
    for (const length of [10, 1000, 10]) client.track({ type: 't', customer: 'acme', data: { text: 'x'.repeat(length) } })
    await client.flush()
    expect(server.received.map(({ body }) => (JSON.parse(body) as unknown[]).length)).toEqual([1, 1, 1])
  })
})

describe('a server that fails', () => {
  test.each([
    { fault: 'reset' as const },
    { fault: 'stall' as const },
    { fault: { status: 429 } },
    { fault: { status: 503 } },
    { fault: { status: 500 } },
    { fault: { status: 408 } },
    { fault: { status: 200, body: '<html>Welcome to the hotel</html>' } },
  ])('$fault: tried again with the same ids until it is well', async ({ fault }) => {
    const client = clientOf({ tryTimeoutMs: 1_000 })
    const id = client.track({ type: 't', customer: 'acme' })
    server.behave(fault, fault)
    await client.flush()
    const bodies = server.received.map(({ body }) => body)
    expect(bodies).toEqual([bodies[0], bodies[0], bodies[0]])
    expect(bodies[0]).toContain(`"id":"${id}"`)
    expect(dropped).toEqual([])
  })

  test('order is kept across batches and faults, and every event arrives once', async () => {
    const client = clientOf({ batchEventsMax: 3 })
    server.behave({ status: 503 }, { status: 200 }, 'reset', { status: 429 }, { status: 200 }, { status: 413 })
    trackMany(client, 7)
    await server.request(2)
    trackMany(client, 7, 7)
    await client.flush()
    expect([...new Set(keptIds())]).toEqual(idsUpTo(14))
  })

  test('waits grow, each with chance in it, and never end before Retry-After', async () => {
    const client = clientOf({ triesMax: 6, random: () => 0.5 })
    trackMany(client, 1)
    server.behave({ status: 503 }, { status: 503 }, { status: 429, headers: { 'retry-after': '7' } }, { status: 503 })
    await client.flush()
    expect(waitsMs).toEqual([150, 300, 7_000, 1_200])
  })

  test('tries are bounded; what was not sent stays queued for the next flush', async () => {
    const client = clientOf({ triesMax: 3 })
    trackMany(client, 2)
    server.behaveAlways({ status: 503, body: { code: 'log_unavailable', detail: 'The log is away.' } })
    await expect(client.flush()).rejects.toMatchObject({ name: 'UnavailableError', code: 'log_unavailable', message: 'The log is away.' })
    expect([server.received.length, client.queuedEvents(), dropped]).toEqual([3, 2, []])
    server.behaveAlways(null)
    await client.flush()
    expect(keptIds()).toEqual(idsUpTo(2))
  })

  test('a Retry-After that is too long to sit through ends the call and is on the error', async () => {
    const client = clientOf()
    trackMany(client, 1)
    server.behave({ status: 503, headers: { 'retry-after': '3600' } })
    const error = await client.flush().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(UnavailableError)
    expect([(error as UnavailableError).retryAfterMs, server.received.length, waitsMs]).toEqual([3_600_000, 1, []])
  })

  test.each([401, 403, 404])('%i says nothing about the events: they stay until key or address is corrected', async (status) => {
    const client = clientOf()
    trackMany(client, 2)
    server.behave({ status })
    await expect(client.flush()).rejects.toMatchObject({ status, canRetry: false })
    expect([server.received.length, client.queuedEvents()]).toEqual([1, 2])
    await client.flush()
    expect(keptIds()).toEqual(idsUpTo(2))
  })

  test('failures in the background are reported and delay the next events, until a flush', async () => {
    let sends = 0
    let isAway = true
    const queue = createEventQueue({
      send: async () => {
        sends++
        if (isAway) throw new UnavailableError('http_503', 'the server answered 503', { status: 503 })
        return {}
      },
      batchEventsMax: 2,
      batchBytesMax: 1_000_000,
      queuedEventsMax: 100,
      flushIntervalMs: 3_600_000,
      onDrop: () => expect.unreachable(),
      onWarning: () => expect.unreachable(),
      onError: (error) => errors.push(error),
    })
    const add = (id: string) => queue.add({ id, type: 't', customer: 'acme', time: '2024-01-01T00:00:00Z' })
    for (const id of ['a', 'b']) add(id)
    await vi.waitFor(() => expect(errors).toMatchObject([{ code: 'http_503' }]))
    for (const id of ['c', 'd', 'e']) add(id)
    expect(sends).toBe(1)
    isAway = false
    await queue.flush()
    expect([sends, queue.queuedEvents()]).toEqual([4, 0])
  })
})

describe('dropped events are reported', () => {
  test('single events that the server refuses', async () => {
    const client = clientOf()
    trackMany(client, 3)
    const rejected = [{ index: 1, id: 'e-1', code: 'event_too_old', detail: 'It is 40 days old; 35 are the limit.' }]
    server.behave({ status: 202, body: { accepted: 2, rejected } })
    await client.flush()
    expect(keptIds()).toEqual(['e-0', 'e-2'])
    expect(dropped).toMatchObject([
      { reason: 'rejected', code: 'event_too_old', detail: 'It is 40 days old; 35 are the limit.', events: [{ id: 'e-1' }] },
    ])
  })

  test('events that arrive and count for nothing are warned of, and sent once', async () => {
    const told: EventWarning[] = []
    const client = clientOf({ onWarning: (warning) => told.push(warning) })
    trackMany(client, 3)
    const warnings = [{ index: 1, id: 'e-1', code: 'unread_type', detail: 'No meter reads it.', events: 2 }]
    server.behave({ status: 202, body: { accepted: 3, rejected: [], warnings } })
    await client.flush()
    expect(keptIds()).toEqual(idsUpTo(3))
    expect(told).toMatchObject([{ event: { id: 'e-1' }, code: 'unread_type', detail: 'No meter reads it.', events: 2 }])
    expect(dropped).toEqual([])
  })

  test('a batch of which nothing is acceptable, event by event', async () => {
    const client = clientOf()
    trackMany(client, 2)
    const errorOf = (index: number, code: string) => ({ field: `[${index}]`, code, detail: 'no' })
    const problem = {
      code: 'invalid_events',
      detail: 'No event is acceptable.',
      errors: [errorOf(0, 'reserved_type'), errorOf(1, 'event_too_old')],
    }
    server.behave({ status: 400, body: problem })
    await client.flush()
    expect(droppedIds()).toEqual(['rejected reserved_type: e-0', 'rejected event_too_old: e-1'])
  })

  test('a batch that is too large is cut until it fits; an event that never does is dropped alone', async () => {
    const client = clientOf()
    trackMany(client, 4)
    const tooLarge = { status: 413, body: { code: 'payload_too_large', detail: 'Too large.' } }
    server.behave(tooLarge, tooLarge, tooLarge)
    await client.flush()
    expect(server.received.map(({ body }) => (JSON.parse(body) as unknown[]).length)).toEqual([4, 2, 1, 1, 1, 1])
    expect(droppedIds()).toEqual(['rejected payload_too_large: e-0'])
    expect(keptIds()).toEqual(['e-1', 'e-2', 'e-3'])
  })

  test('what comes while the queue is full', async () => {
    const client = clientOf({ queuedEventsMax: 3 })
    expect(trackMany(client, 5)).toEqual(['e-0', 'e-1', 'e-2', null, null])
    expect(droppedIds()).toEqual(['queue_full queue_full: e-3', 'queue_full queue_full: e-4'])
    await client.flush()
    expect(trackMany(client, 1, 5)).toEqual(['e-5'])
  })

  test('a value that is no JSON never blocks the others', async () => {
    const client = clientOf()
    expect(client.track({ id: 'bad', type: 't', customer: 'acme', data: { tokens: 1n } })).toBeNull()
    trackMany(client, 1)
    await client.flush()
    expect([keptIds(), droppedIds()]).toEqual([['e-0'], ['rejected not_json: bad']])
  })

  test('even when the listener throws', async () => {
    const logged = vi.spyOn(console, 'error').mockReturnValue()
    const client = clientOf({
      queuedEventsMax: 1,
      onDrop: () => {
        throw new Error('a mistake in the app')
      },
    })
    expect(trackMany(client, 2)).toEqual(['e-0', null])
    await client.flush()
    expect([keptIds(), logged.mock.calls.length]).toEqual([['e-0'], 1])
    logged.mockRestore()
  })
})

describe('flush and close', () => {
  test('flush waits for what was tracked before it, also while the background is waiting for its next try', async () => {
    let isSleeping: () => void = () => undefined
    const sleeping = new Promise<void>((resolve) => {
      isSleeping = resolve
    })
    const client = clientOf({
      batchEventsMax: 2,
      sleep: (_ms, { signal } = {}) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
          isSleeping()
        }),
    })
    server.behave({ status: 503 })
    trackMany(client, 2)
    await sleeping
    await client.flush()
    expect([keptIds(), errors]).toEqual([idsUpTo(2), []])
  })

  test('many flushes at once send every event once', async () => {
    const client = clientOf({ batchEventsMax: 2 })
    trackMany(client, 7)
    await Promise.all([client.flush(), client.flush(), client.close(), client.flush()])
    expect([...new Set(keptIds())]).toEqual(idsUpTo(7))
    expect(client.queuedEvents()).toBe(0)
  })

  test('an aborted flush ends at once and loses nothing', async () => {
    const client = clientOf()
    trackMany(client, 1)
    server.behave('stall')
    const abort = new AbortController()
    const flushed = client.flush({ signal: abort.signal })
    await server.request(1)
    abort.abort()
    await expect(flushed).rejects.toMatchObject({ name: 'AbortError' })
    await client.flush()
    expect(keptIds()).toEqual(idsUpTo(1))
  })

  test('close retries like any call, then drops what it could not send', async () => {
    const client = clientOf({ triesMax: 2 })
    trackMany(client, 2)
    server.behaveAlways('reset')
    await client.close()
    expect([server.received.length, droppedIds(), client.queuedEvents()]).toEqual([2, ['unsent unreachable: e-0 e-1'], 0])
  })

  test('after close nothing is taken, and it may be closed again', async () => {
    const client = clientOf()
    trackMany(client, 1)
    await client.close()
    expect([keptIds(), trackMany(client, 1, 1)]).toEqual([['e-0'], [null]])
    await client.close()
    expect(droppedIds()).toEqual(['closed client_closed: e-1'])
  })
})
