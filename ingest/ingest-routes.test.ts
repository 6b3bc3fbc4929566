import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import { createLmdbEventLog } from '../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { NameAssignment } from '../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../domain/identity.ts'
import type { Meter } from '../domain/metering/meter.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import type { Principal } from '../domain/principal.ts'
import { createHttpApp } from '../runtime/http/http-app.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { decodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import { createCustomerNames } from '../usage/customer-names.ts'
import { createIngest, type Ingest, type IngestLimits } from './ingest.ts'
import { ingestRoutes } from './ingest-routes.ts'
import { createRecordWriter } from './record-writer.ts'

const NOW = Date.UTC(2026, 6, 1, 12)
const clock = { ...systemClock, now: () => NOW as InstantMs }
const log = pino({ level: 'silent' })
const PRINCIPALS: Readonly<Record<string, Principal>> = {
  sender: { keyId: 'k1', tenant: 'default' as TenantKey, scopes: ['ingest'] },
  boss: { keyId: 'k2', tenant: 'default' as TenantKey, scopes: ['admin'] },
  reader: { keyId: 'k3', tenant: 'default' as TenantKey, scopes: ['read'] },
}
const event = (n: number, more: Record<string, unknown> = {}) => ({
  id: `e-${n}`,
  type: 'llm.request',
  customer: `customer-${n % 5}`,
  data: { tokens: n },
  ...more,
})
const eventsUpTo = (count: number) => Array.from({ length: count }, (_, n) => event(n))
const linesOf = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

let path: string
let eventLog: EventLog
let ingest: Ingest
let app: HttpApp
let registry: Registry
let seats: Map<string, readonly NameAssignment[]>
/** Of an event without a time whose name has moved: the customer that has it, by id. */
let firstSent = new Map<string, CustomerKey>()
const ALWAYS = { fromMs: 0 as InstantMs, untilMs: null }
let meters: Meter[]
let customers: CustomerKey[]
const METER: Meter = {
  tenant: 'default' as TenantKey,
  key: 'tokens' as MeterKey,
  revision: 1,
  eventType: 'llm.request',
  aggregation: 'count',
  value: [],
  dimensions: {},
}

const names = createCustomerNames({
  nameHistories: async (_tenant, asked) => new Map(asked.flatMap((name) => (seats.has(name) ? [[name, seats.get(name) ?? []]] : []))),
  entriesMax: 100,
})

async function open(limits: Partial<IngestLimits> = {}, storedBytesMax = 1e9): Promise<void> {
  eventLog = await createLmdbEventLog({ clock: systemClock, path, partitions: 3, log, registry: new Registry(), storedBytesMax })
  registry = new Registry()
  ingest = createIngest({
    writer: createRecordWriter({ eventLog, clock, registry }),
    names,
    findFormerCustomers: async (_tenant, events) =>
      new Map(events.flatMap((event) => (firstSent.has(event.id) ? [[event, firstSent.get(event.id) as CustomerKey]] : []))),
    metersOf: async () => meters,
    modelCostsOf: async () => [],
    findSimilarCustomers: async (_tenant, keys) => ({
      existing: new Set(keys.filter((key) => customers.includes(key))),
      similar: new Map(
        keys.flatMap((key) => {
          const other = customers.find((each) => each !== key && each.toLowerCase() === key.toLowerCase())
          return other === undefined ? [] : [[key, other]]
        }),
      ),
    }),
    clock,
    log,
    registry,
    limits,
  })
  app = createHttpApp({
    findPrincipal: (secret) => PRINCIPALS[secret] ?? null,
    idempotency: {
      claim: async () => null,
      save: async () => undefined,
      release: async () => undefined,
    },
    clock,
    log,
    registry,
    bodyBytesMax: 1024,
  })
  app.register(ingestRoutes({ ingest }))
  await app.ready()
}
async function close(): Promise<void> {
  await app.close()
  await ingest.drain()
  await eventLog.stop()
}

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'tollgate-ingest-'))
  seats = new Map([['seat-7', [{ ...ALWAYS, customer: 'acme' as CustomerKey }]]])
  names.invalidateAll()
  meters = [METER]
  customers = ['acme' as CustomerKey]
  await open()
})
afterEach(async () => {
  await close()
  await rm(path, { recursive: true, force: true })
})
async function reopen(limits: Partial<IngestLimits>, storedBytesMax?: number): Promise<void> {
  await close()
  await open(limits, storedBytesMax)
}

type Sent = {
  readonly key?: string
  readonly query?: string
  readonly type?: string
  readonly encoding?: string
  readonly headers?: Record<string, string>
}
async function post(body: unknown, { key = 'sender', query = '', type = 'application/json', encoding, headers = {} }: Sent = {}) {
  const answer = await app.inject({
    method: 'POST',
    url: `/v1/events${query}`,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': type,
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
      ...headers,
    },
    payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
  })
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
}
async function keptEvents(): Promise<UsageEvent[]> {
  const found: UsageEvent[] = []
  for (let partition = 0; partition < eventLog.partitions; partition++) {
    for await (const records of eventLog.read(partition as Partition, 0 as Offset, 1e9 as Offset)) {
      for (const { value } of records) found.push(...decodeUsageEventBatch(value).events)
    }
  }
  return found
}
const keptIds = async () => (await keptEvents()).map(({ id }) => id).sort((a, b) => Number(a.slice(2)) - Number(b.slice(2)))

const NDJSON = 'application/x-ndjson'

describe('POST /v1/events', () => {
  test.each([
    { name: 'one event', body: event(0), sent: {}, accepted: 1 },
    { name: 'an array', body: eventsUpTo(3), sent: {}, accepted: 3 },
    {
      name: 'one CloudEvent',
      body: event(0, { specversion: '1.0' }),
      sent: { type: 'application/cloudevents+json; charset=utf-8' },
      accepted: 1,
    },
    { name: 'a CloudEvents batch', body: eventsUpTo(2), sent: { type: 'application/cloudevents-batch+json' }, accepted: 2 },
    { name: 'lines', body: `\n${linesOf(eventsUpTo(4))}\r\n`, sent: { type: NDJSON }, accepted: 4 },
    { name: 'a last line without its end', body: linesOf(eventsUpTo(4)).trimEnd(), sent: { type: NDJSON }, accepted: 4 },
    { name: 'gzip', body: zlib.gzipSync(JSON.stringify(eventsUpTo(5))), sent: { encoding: 'gzip' }, accepted: 5 },
    { name: 'brotli lines', body: zlib.brotliCompressSync(linesOf(eventsUpTo(5))), sent: { encoding: 'br', type: NDJSON }, accepted: 5 },
    { name: 'zstd', body: zlib.zstdCompressSync(JSON.stringify(eventsUpTo(5))), sent: { encoding: 'zstd' }, accepted: 5 },
    {
      name: 'lines after a byte order mark',
      body: `\u{feff}${linesOf(eventsUpTo(2))}`,
      sent: { type: NDJSON },
      accepted: 2,
    },
    { name: 'an array after a byte order mark', body: `\u{feff}${JSON.stringify(eventsUpTo(2))}`, sent: {}, accepted: 2 },
    { name: 'an empty array', body: '[]', sent: {}, accepted: 0 },
    { name: 'an empty batch', body: ' [ ] ', sent: { type: 'application/cloudevents-batch+json', query: '?atomic=true' }, accepted: 0 },
    {
      name: 'gzip in two members',
      body: Buffer.concat([zlib.gzipSync(linesOf([event(0)])), zlib.gzipSync(linesOf([event(1)]))]),
      sent: { encoding: 'gzip', type: NDJSON },
      accepted: 2,
    },
  ])('takes $name', async ({ body, sent, accepted }) => {
    expect(await post(body, sent)).toMatchObject({ status: 202, body: { accepted, rejected: [] } })
    expect(await keptIds()).toEqual(eventsUpTo(accepted).map(({ id }) => id))
  })

  describe('CloudEvents as the specifications have them', () => {
    const postBinary = async (headers: Record<string, string>, payload?: string) => {
      const answer = await app.inject({
        method: 'POST',
        url: '/v1/events',
        headers: { authorization: 'Bearer sender', ...headers },
        ...(payload === undefined ? {} : { payload }),
      })
      return { status: answer.statusCode, body: answer.json() }
    }
    const ce = { 'ce-id': 'e-1', 'ce-type': 'llm.request', 'ce-specversion': '1.0', 'ce-source': '/svc', 'ce-subject': 'acme' }
    const kept = { id: 'e-1', type: 'llm.request', source: '/svc', customer: 'acme' }

    test.each([
      { name: 'data as JSON', headers: { 'content-type': 'application/json' }, payload: '{"tokens":5}', data: '{"tokens":5}' },
      { name: 'data of another JSON type', headers: { 'content-type': 'application/vnd.acme+json' }, payload: '{"a":1}', data: '{"a":1}' },
      {
        name: 'data after a byte order mark',
        headers: { 'content-type': 'application/json' },
        payload: '\u{feff}{"a":1}',
        data: '{"a":1}',
      },
      { name: 'no data', headers: {}, payload: undefined, data: '{}' },
      { name: 'no data but its type', headers: { 'content-type': 'application/json' }, payload: '', data: '{}' },
      { name: 'data of null', headers: { 'content-type': 'application/json' }, payload: 'null', data: '{}' },
    ])('binary mode: $name', async ({ headers, payload, data }) => {
      expect(await postBinary({ ...ce, ...headers }, payload)).toMatchObject({ status: 202, body: { accepted: 1 } })
      expect(await keptEvents()).toMatchObject([{ ...kept, data }])
    })

    test('binary mode: attributes are decoded, extensions are kept', async () => {
      const headers = { ...ce, 'ce-source': '"/caf%C3%A9 \\"a\\""', 'ce-region': '100%', 'content-type': 'application/json' }
      expect(await postBinary(headers, '{}')).toMatchObject({ status: 202 })
      expect(await keptEvents()).toMatchObject([{ source: '/café "a"', attributes: '{"region":"100%"}' }])
    })

    test.each([
      {
        name: 'an array as data',
        headers: { 'content-type': 'application/json' },
        payload: '[{"id":"x"}]',
        status: 400,
        code: 'invalid_events',
      },
      {
        name: 'an array as data that is longer than a piece',
        headers: { 'content-type': 'application/json' },
        payload: JSON.stringify(Array.from({ length: 30_000 }, () => ({ tokens: 1 }))),
        status: 400,
        code: 'invalid_events',
      },
      {
        name: 'data that is no JSON',
        headers: { 'content-type': 'application/json' },
        payload: 'tokens',
        status: 400,
        code: 'invalid_json',
      },
      {
        name: 'data of another type',
        headers: { 'content-type': 'text/plain' },
        payload: '5',
        status: 415,
        code: 'unsupported_media_type',
      },
      {
        name: 'an id of its own',
        headers: { 'ce-id': '', 'content-type': 'application/json' },
        payload: '{}',
        status: 400,
        code: 'invalid_events',
      },
    ])('binary mode: $name is refused', async ({ headers, payload, status, code }) => {
      expect(await postBinary({ ...ce, ...headers }, payload)).toMatchObject({ status, body: { code } })
    })

    test('structured mode is told by its content type, whatever the headers', async () => {
      const answer = await postBinary({ ...ce, 'content-type': 'application/cloudevents+json' }, JSON.stringify(event(3)))
      expect(answer).toMatchObject({ status: 202 })
      expect(await keptIds()).toEqual(['e-3'])
    })

    test('data of null is as unset, and data_base64 is data', async () => {
      const base64 = Buffer.from('{"tokens":7}').toString('base64')
      const events = [event(0, { data: null }), event(1, { data: undefined, data_base64: base64 }), event(2, { data_base64: null })]
      expect(await post(events)).toMatchObject({ status: 202, body: { accepted: 3 } })
      const found = (await keptEvents()).toSorted((a, b) => a.id.localeCompare(b.id))
      expect(found.map(({ data, attributes }) => [data, attributes])).toEqual([
        ['{}', null],
        ['{"tokens":7}', null],
        ['{"tokens":2}', null],
      ])
    })
  })

  describe('what JSON or text cannot hold is kept in another form, and said', () => {
    const oneOf = (data: string, id = 'e-0') => `{"id":"${id}","type":"llm.request","customer":"acme","data":${data}}`
    const rows = [
      { given: '{"user":1234567890123456789,"n":1}', kept: '{"user":"1234567890123456789","n":1}', codes: ['kept_as_text'] },
      { given: '{"a":[{"b":-1e400}]}', kept: '{"a":[{"b":"-1e400"}]}', codes: ['kept_as_text'] },
      { given: '{"label":"a\\ud83d"}', kept: '{"label":"a\ufffd"}', codes: ['replaced_characters'] },
      { given: '{"k\\ud83d":["\\udc00"]}', kept: '{"k\ufffd":["\ufffd"]}', codes: ['replaced_characters'] },
      {
        given: '{"user":9007199254740993,"label":"\\ud83d"}',
        kept: '{"user":"9007199254740993","label":"\ufffd"}',
        codes: ['kept_as_text', 'replaced_characters'],
      },
    ]
    test.each(rows)('$given', async ({ given, kept, codes }) => {
      const forms = [
        { body: oneOf(given), type: 'application/json', index: 0 },
        { body: `[${oneOf('{}', 'e-1')},${oneOf(given)}]`, type: 'application/json', index: 1 },
        { body: `${oneOf('{}', 'e-1')}\n\nnot json\n${oneOf(given)}\n`, type: NDJSON, index: 2 },
        {
          body: `[${Array.from({ length: 700 }, (_, n) => oneOf('{}', `e-${n + 1}`)).join()},${oneOf(given)}]`,
          type: 'application/json',
          index: 700,
        },
      ]
      for (const { body, type, index } of forms) {
        const answer = await post(body, { type })
        expect(answer.status).toBe(202)
        const said = answer.body.warnings.map((warning: { code: string; index: number; id: string }) => [
          warning.code,
          warning.index,
          warning.id,
        ])
        expect(said).toEqual(codes.map((code) => [code, index, 'e-0']))
        expect((await keptEvents()).findLast(({ id }) => id === 'e-0')?.data).toBe(kept)
      }
    })

    test('what tells an event from others is whole or refused, and what is nested too deep stays so', async () => {
      const deep = `${'['.repeat(40)}1e400${']'.repeat(40)}`
      for (const body of [oneOf('{}', 'e\\ud83d'), oneOf(`{"a":${deep}}`), oneOf(`{"n":1e400,"a":${deep}}`)]) {
        expect(await post(body)).toMatchObject({ status: 400, body: { code: 'invalid_events' } })
      }
    })
  })

  test.each([
    { name: 'no key', body: event(0), sent: { key: '' }, status: 401, code: 'missing_key' },
    { name: 'a key without the scope', body: event(0), sent: { key: 'reader' }, status: 403, code: 'missing_scope' },
    { name: 'backfill without admin', body: event(0), sent: { query: '?backfill=true' }, status: 403, code: 'missing_scope' },
    { name: 'a flag that is none', body: event(0), sent: { query: '?atomic=maybe' }, status: 400, code: 'invalid_request' },
    { name: 'another content type', body: event(0), sent: { type: 'text/csv' }, status: 415, code: 'unsupported_media_type' },
    {
      name: 'another charset',
      body: event(0),
      sent: { type: 'application/json; charset=latin1' },
      status: 415,
      code: 'unsupported_media_type',
    },
    {
      name: 'a content type that every object has',
      body: event(0),
      sent: { type: '__proto__' },
      status: 415,
      code: 'unsupported_media_type',
    },
    {
      name: 'an encoding that every object has',
      body: event(0),
      sent: { encoding: 'constructor' },
      status: 415,
      code: 'unsupported_content_encoding',
    },
    { name: 'another encoding', body: event(0), sent: { encoding: 'deflate' }, status: 415, code: 'unsupported_content_encoding' },
    { name: 'an empty body', body: '', sent: {}, status: 400, code: 'empty_body' },
    { name: 'a byte order mark alone', body: '\u{feff}', sent: {}, status: 400, code: 'empty_body' },
    { name: 'a parameter that is none', body: event(0), sent: { query: '?atomicly=true' }, status: 400, code: 'invalid_request' },
    { name: 'a parameter that every object has', body: event(0), sent: { query: '?constructor=1' }, status: 400, code: 'invalid_request' },
    { name: 'no lines', body: '\n\n', sent: { type: NDJSON }, status: 400, code: 'no_events' },
    { name: 'not JSON', body: 'tokens=5', sent: {}, status: 400, code: 'invalid_json' },
    { name: 'truncated JSON', body: JSON.stringify(eventsUpTo(3)).slice(0, -9), sent: {}, status: 400, code: 'invalid_json' },
    { name: 'NaN', body: '[{"id":"e-1","type":"t","customer":"c","data":{"tokens":NaN}}]', sent: {}, status: 400, code: 'invalid_json' },
    {
      name: 'Infinity',
      body: '{"id":"e-1","type":"t","customer":"c","data":{"tokens":-Infinity}}',
      sent: {},
      status: 400,
      code: 'invalid_json',
    },
    { name: 'invalid UTF-8', body: Buffer.from([0x22, 0xc3, 0x28, 0x22]), sent: {}, status: 400, code: 'invalid_utf8' },
    {
      name: 'a batch that is no array',
      body: event(0),
      sent: { type: 'application/cloudevents-batch+json' },
      status: 400,
      code: 'invalid_json',
    },
    {
      name: 'an array that should be one',
      body: [event(0)],
      sent: { type: 'application/cloudevents+json' },
      status: 400,
      code: 'invalid_json',
    },
    {
      name: 'truncated gzip',
      body: zlib.gzipSync(JSON.stringify(eventsUpTo(50))).subarray(0, 90),
      sent: { encoding: 'gzip' },
      status: 400,
      code: 'invalid_content_encoding',
    },
    {
      name: 'truncated brotli',
      body: zlib.brotliCompressSync(JSON.stringify(eventsUpTo(50))).subarray(0, 50),
      sent: { encoding: 'br' },
      status: 400,
      code: 'invalid_content_encoding',
    },
    {
      name: 'truncated zstd',
      body: zlib.zstdCompressSync(JSON.stringify(eventsUpTo(50))).subarray(0, 90),
      sent: { encoding: 'zstd' },
      status: 400,
      code: 'invalid_content_encoding',
    },
    { name: 'what is no gzip', body: 'hello', sent: { encoding: 'gzip' }, status: 400, code: 'invalid_content_encoding' },
    {
      name: 'a zstd window beyond 8 MiB',
      // The header of a frame: no content size, a window of 2^24 bytes; then an empty last block.
      body: Buffer.from('28b52ffd0070010000', 'hex'),
      sent: { encoding: 'zstd', type: NDJSON },
      status: 400,
      code: 'invalid_content_encoding',
    },
    {
      name: 'a second zstd frame',
      body: Buffer.concat([zlib.zstdCompressSync(linesOf([event(0)])), zlib.zstdCompressSync(linesOf([event(1)]))]),
      sent: { encoding: 'zstd' },
      status: 400,
      code: 'invalid_content_encoding',
    },
    { name: '100,001 events', body: `[${'{},'.repeat(100_000)}{}]`, sent: {}, status: 413, code: 'too_many_events' },
    { name: 'none acceptable', body: [event(0, { id: '' }), 7], sent: {}, status: 400, code: 'invalid_events' },
    {
      name: 'one of an atomic batch',
      body: [...eventsUpTo(5), event(5, { type: undefined })],
      sent: { query: '?atomic=true' },
      status: 400,
      code: 'invalid_events',
    },
  ])('refuses $name with $status $code and keeps nothing', async ({ body, sent, status, code }) => {
    const answer = await post(body, sent)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.headers['content-type']).toContain('application/problem+json')
    expect(await keptEvents()).toEqual([])
    expect(await post(event(0))).toMatchObject({ status: 202 })
  })

  test('judges every event by itself, in its place', async () => {
    const lines = [
      '{"id":"e-0","type":"t","customer":"c"}',
      '{"id":"e-1","type":"t"',
      'NaN',
      '{"id":"e-3","type":"t","customer":" c"}',
      '{"id":"e-4","type":"t","customer":"c"}',
    ]
    const body = Buffer.concat([
      Buffer.from(`${lines.join('\n')}\n`),
      Buffer.from([0x7b, 0xff, 0x0a]),
      Buffer.from('{"id":"e-6","type":"t","customer":"c","data":{"__proto__":1}}'),
    ])
    const answer = await post(body, { type: NDJSON })
    expect(answer.status).toBe(202)
    expect(answer.body.accepted).toBe(2)
    expect(answer.body.rejected.map(({ index, id, code }: { index: number; id: string; code: string }) => [index, id, code])).toEqual([
      [1, null, 'invalid_json'],
      [2, null, 'invalid_json'],
      [3, 'e-3', 'invalid_customer'],
      [5, null, 'invalid_utf8'],
      [6, 'e-6', 'forbidden_key'],
    ])
    expect(await keptIds()).toEqual(['e-0', 'e-4'])
  })

  test('an atomic request is kept whole', async () => {
    expect(await post(eventsUpTo(1200), { query: '?atomic=true' })).toMatchObject({ status: 202, body: { accepted: 1200, rejected: [] } })
    expect(await keptIds()).toEqual(eventsUpTo(1200).map(({ id }) => id))
  })

  test('the largest request is taken: 100,000 lines, each once', async () => {
    const answer = await post(zlib.gzipSync(linesOf(eventsUpTo(100_000))), { type: NDJSON, encoding: 'gzip' })
    expect(answer).toMatchObject({ status: 202, body: { accepted: 100_000, rejected: [] } })
    const ids = await keptIds()
    expect([ids.length, new Set(ids).size, ids.at(-1)]).toEqual([100_000, 100_000, 'e-99999'])
  })

  describe('a sender whose clock is wrong says what it shows while sending', () => {
    const HOUR_MS = 3_600_000
    const textOf = (ms: number) => new Date(ms).toISOString()
    /** An event of a minute before its sender's now. */
    const sentBy = (nowMs: number, sentAt = textOf(nowMs)) =>
      post(event(1, { time: textOf(nowMs - 60_000) }), { headers: { 'tollgate-sent-at': sentAt } })

    test.each([
      { clock: 'two hours ahead', aheadMs: 2 * HOUR_MS, isCorrected: true },
      { clock: 'forty days behind', aheadMs: -40 * 24 * HOUR_MS, isCorrected: true },
      { clock: 'some minutes ahead', aheadMs: 240_000, isCorrected: false },
      { clock: 'right', aheadMs: 0, isCorrected: false },
    ])('$clock', async ({ aheadMs, isCorrected }) => {
      const nowMs = NOW
      expect(await sentBy(nowMs + aheadMs)).toMatchObject({ status: 202, body: { accepted: 1 } })
      const happenedMs = nowMs - 60_000 + (isCorrected ? 0 : aheadMs)
      expect(Math.abs(((await keptEvents())[0]?.occurredAtMs ?? 0) - happenedMs)).toBeLessThan(30_000)
    })

    test('an event that has no time is of its receipt, and what is no time is refused', async () => {
      expect(await post(event(1), { headers: { 'tollgate-sent-at': textOf(NOW + 2 * HOUR_MS) } })).toMatchObject({ status: 202 })
      expect(Math.abs(((await keptEvents())[0]?.occurredAtMs ?? 0) - NOW)).toBeLessThan(60_000)
      expect(await sentBy(NOW, 'yesterday')).toMatchObject({ status: 400, body: { errors: [{ field: 'tollgate-sent-at' }] } })
    })
  })

  test('backfill lifts the bounds on event time, for an admin', async () => {
    const old = event(1, { time: '2023-11-16T18:17:03.9799600Z' })
    expect(await post(old)).toMatchObject({
      status: 400,
      body: { code: 'invalid_events', errors: [{ field: '[0]', code: 'event_too_old' }] },
    })
    expect(await post(old, { key: 'boss', query: '?backfill=true' })).toMatchObject({ status: 202 })
    expect((await keptEvents())[0]?.occurredAtMs).toBe(Date.UTC(2023, 10, 16, 18, 17, 3, 979))
  })

  test('resolves a subject when the event is received, and anew after its customer has changed', async () => {
    const seat = (n: number) => ({ id: `e-${n}`, type: 't', subject: 'seat-7' })
    await post(seat(0))
    seats.set('seat-7', [{ ...ALWAYS, customer: 'globex' as CustomerKey }])
    await post(seat(1))
    names.invalidate('default' as TenantKey)
    await post(seat(2))
    const kept = (await keptEvents()).sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(kept.map(({ customer, subject }) => [customer, subject])).toEqual([
      ['acme', 'seat-7'],
      ['acme', 'seat-7'],
      ['globex', 'seat-7'],
    ])
  })

  test('a name is whose it was at the time of the event; a repeat without a time is whose it was first', async () => {
    const changedMs = clock.now() - 60_000
    seats.set('seat-7', [
      { customer: 'acme' as CustomerKey, fromMs: 0 as InstantMs, untilMs: changedMs as InstantMs },
      { customer: 'globex' as CustomerKey, fromMs: changedMs as InstantMs, untilMs: null },
    ])
    names.invalidateAll()
    firstSent = new Map([['e-3', 'acme' as CustomerKey]])
    const before = new Date(changedMs - 1).toISOString()
    const sent = [
      { time: before, subject: 'seat-7' },
      { time: before, customer: 'seat-7' },
      { customer: 'seat-7' },
      { subject: 'seat-7' },
      { time: new Date(changedMs).toISOString(), customer: 'seat-7' },
    ]
    await post(sent.map((more, n) => ({ id: `e-${n}`, type: 't', ...more })))
    const kept = (await keptEvents()).sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(kept.map(({ customer }) => customer)).toEqual(['acme', 'acme', 'globex', 'acme', 'globex'])
  })

  test('a body over the limit is 413, packed or not', async () => {
    await reopen({ unpackedBytesMax: 10_000, packedBytesMax: 2000 })
    const noise = { text: Array.from({ length: 800 }, (_, n) => (n * 7919) % 9973).join() }
    expect(await post(event(0, { data: { text: 'x'.repeat(12_000) } }))).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
    expect(await post(zlib.gzipSync(JSON.stringify(event(0, { data: { text: 'x'.repeat(12_000) } }))), { encoding: 'gzip' })).toMatchObject(
      { status: 413 },
    )
    expect(await post(zlib.gzipSync(JSON.stringify(event(0, { data: noise })), { level: 0 }), { encoding: 'gzip' })).toMatchObject({
      status: 413,
    })
    expect(await keptEvents()).toEqual([])
  })

  test.each(['gzip', 'br', 'zstd'])('a %s bomb is refused before it is unpacked', async (encoding) => {
    const zeros = Buffer.alloc(400 * 1024 * 1024, 32)
    const bomb =
      encoding === 'gzip'
        ? zlib.gzipSync(zeros, { level: 1 })
        : encoding === 'br'
          ? zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })
          : zlib.zstdCompressSync(zeros)
    const before = process.memoryUsage().arrayBuffers
    expect(await post(bomb, { encoding })).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 1024 * 1024)
  })

  test('lines past a fault in the stream: says how much was kept, and it is', async () => {
    await reopen({ requestEventsMax: 5000 })
    const body = linesOf(Array.from({ length: 5001 }, (_, n) => event(n, { data: { text: 'x'.repeat(200) } })))
    const answer = await post(zlib.gzipSync(body), { type: NDJSON, encoding: 'gzip' })
    expect([answer.status, answer.body.code]).toEqual([413, 'too_many_events'])
    const kept = (await keptIds()).length
    expect(kept).toBeGreaterThan(0)
    expect(answer.body.detail).toContain(`${kept} of the ${kept} events read before that`)
  })

  test('nothing of an atomic stream is kept past a fault', async () => {
    await reopen({ requestEventsMax: 5000 })
    const body = linesOf(Array.from({ length: 5001 }, (_, n) => event(n, { data: { text: 'x'.repeat(200) } })))
    expect(await post(body, { type: NDJSON, query: '?atomic=true' })).toMatchObject({ status: 413 })
    expect(await keptEvents()).toEqual([])
  })

  test('over its bytes in flight it answers 503 with Retry-After, keeps nothing, and is well again', async () => {
    await reopen({ bytesInFlightMax: 50_000 })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => post(Array.from({ length: 100 }, (_, i) => event(n * 100 + i)))))
    const busy = answers.filter(({ status }) => status === 503)
    expect(busy.length).toBeGreaterThan(0)
    expect(busy[0]).toMatchObject({ body: { code: 'overloaded' }, headers: { 'retry-after': '1' } })
    const accepted = answers.filter(({ status }) => status === 202)
    expect(accepted.length + busy.length).toBe(20)
    expect((await keptIds()).length).toBe(accepted.length * 100)
    expect(ingest.room.bytes.held()).toBe(0)
    expect(await post(eventsUpTo(100))).toMatchObject({ status: 202 })
  })

  test('a full log: 503 when nothing was kept, a verdict for each event when only some were', async () => {
    await reopen({}, 400_000)
    const big = (n: number) => event(n, { customer: 'acme', data: { text: 'x'.repeat(60_000) } })
    const answer = await post(Array.from({ length: 40 }, (_, n) => big(n)))
    const kept = await keptIds()
    if (answer.status === 503) expect(kept).toEqual([])
    else {
      expect(answer.body.accepted).toBe(kept.length)
      expect(answer.body.rejected.every(({ code }: { code: string }) => code === 'log_full')).toBe(true)
      expect(answer.body.rejected.length + kept.length).toBe(40)
    }
    const next = await post(Array.from({ length: 40 }, (_, n) => big(100 + n)))
    expect([next.status, next.body.code, next.headers['retry-after']]).toEqual([503, 'log_full', '1'])
    expect(await keptIds()).toEqual(kept)
  })
})

describe('over a real connection', () => {
  async function send(chunks: AsyncIterable<Buffer | string>, headers: Record<string, string>) {
    if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
    const address = app.server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      path: '/v1/events',
      method: 'POST',
      headers: { authorization: 'Bearer sender', ...headers },
    })
    request.on('error', () => undefined)
    const responded = once(request, 'response') as Promise<[IncomingMessage]>
    for await (const chunk of chunks) {
      if (request.destroyed) break
      request.write(chunk)
    }
    request.end()
    const [response] = await responded
    const parts: Buffer[] = []
    for await (const part of response) parts.push(part as Buffer)
    return { status: response.statusCode, body: JSON.parse(Buffer.concat(parts).toString()) }
  }

  test('lines cut anywhere by the network are the same lines', async () => {
    const body = Buffer.from(linesOf(eventsUpTo(50).map((each) => ({ ...each, data: { text: 'é💡' } }))))
    async function* oddly() {
      for (let at = 0; at < body.length; at += 7) yield body.subarray(at, at + 7)
    }
    expect(await send(oddly(), { 'content-type': NDJSON })).toEqual({ status: 202, body: { accepted: 50, rejected: [] } })
    expect((await keptEvents()).every(({ data }) => data === '{"text":"é💡"}')).toBe(true)
  })

  test('a chunked body over the limit is answered, not cut off, and the server goes on', async () => {
    await reopen({ unpackedBytesMax: 100_000 })
    async function* flood() {
      for (let n = 0; n < 40; n++) yield Buffer.alloc(10_000, 32)
    }
    expect(await send(flood(), { 'content-type': 'application/json' })).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
    async function* one() {
      yield JSON.stringify(event(1))
    }
    expect(await send(one(), { 'content-type': 'application/json' })).toMatchObject({ status: 202 })
  })
})

describe('Events that are kept and count for nothing are named in warnings', () => {
  const reading = (value: string, more: Partial<Meter> = {}): Meter => ({
    ...METER,
    key: 'sum' as MeterKey,
    aggregation: 'sum',
    value: [value],
    ...more,
  })
  const warningsOf = async (body: unknown) => {
    const answer = await post(body)
    expect(answer.status).toBe(202)
    return answer.body.warnings
  }

  test('nothing, where all is in order', async () => {
    meters = [reading('tokens'), reading('tokens', { dimensions: { model: 'model' } })]
    const answer = await post([event(0), event(1, { traceparent: '00-1', dataschema: 'https://x.test', sequence: 4 })])
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2, rejected: [] } })
    expect(answer.body).not.toHaveProperty('warnings')
  })

  test.each([
    { title: 'a type that no meter reads', sent: event(3, { type: 'llm.requst' }), code: 'unread_type', says: /'llm\.requst'/ },
    {
      title: 'a timestamp',
      sent: event(3, { timestamp: '2026-07-01T00:00:00Z' }),
      code: 'stray_field',
      says: /'timestamp'.*meant to be time/,
    },
    { title: 'a field in other case', sent: event(3, { Time: 'x' }), code: 'stray_field', says: /'Time'.*time/ },
    {
      title: 'text for a number',
      sent: event(3, { data: { tokens: 'many' } }),
      code: 'unreadable_value',
      says: /Meter sum reads tokens.*not_a_number/,
    },
    { title: 'a number below zero', sent: event(3, { data: { tokens: -1 } }), code: 'unreadable_value', says: /negative/ },
    { title: 'no number at all', sent: event(3, { data: undefined }), code: 'unreadable_value', says: /missing/ },
    { title: 'a customer in other case', sent: event(3, { customer: 'Acme' }), code: 'similar_customer', says: /'Acme'.*'acme'/ },
  ])('$title', async ({ sent, code, says }) => {
    meters = [reading('tokens')]
    expect(await warningsOf([event(1), sent])).toEqual([{ index: 1, id: 'e-3', code, detail: expect.stringMatching(says), events: 1 }])
  })

  test('fields that belong into data, by their names or because a meter reads such', async () => {
    meters = [reading('usage.tokens', { dimensions: { model: 'model' } })]
    const warnings = await warningsOf(event(0, { data: {}, properties: {}, usage: { tokens: 3 }, model: 'm', region: 'eu' }))
    expect(warnings.map((warning: { code: string; detail: string }) => warning.detail.slice(0, 14))).toEqual([
      'Meter sum read',
      "'properties' i",
      "'usage' is no ",
      "'model' is no ",
    ])
    expect(warnings[2].detail).toContain('meant to be data.usage')
  })

  test('an event that where leaves out, and a rounded one, are in order; a refused one is not', async () => {
    meters = [reading('tokens', { where: { status: { equals: 'ok' } } }), reading('cost', { onInexact: 'refuse' })]
    expect(await warningsOf(event(0, { data: { tokens: 'x', status: 'failed', cost: 1 } }))).toBeUndefined()
    expect(await warningsOf(event(1, { data: { tokens: 0.1 + 0.2, status: 'ok', cost: 0.1 + 0.2 } }))).toMatchObject([
      { code: 'unreadable_value', detail: expect.stringContaining('not_exact') },
    ])
  })

  test('many of one kind are counted, with three examples; many kinds are bounded; all are in the metric', async () => {
    const many = await warningsOf(Array.from({ length: 1_000 }, (_, n) => event(n, { type: 'no' })))
    expect(many.map(({ index, events }: { index: number; events: number }) => [index, events])).toEqual([
      [0, 1_000],
      [1, 1_000],
      [2, 1_000],
    ])
    expect(await warningsOf(Array.from({ length: 1_000 }, (_, n) => event(n, { type: `no-${n}` })))).toHaveLength(30)
    expect(await registry.getSingleMetric('tollgate_ingest_events_warned_total')?.get()).toMatchObject({
      values: [{ labels: { reason: 'unread_type' }, value: 2_000 }],
    })
  })

  test('a meter made just now is known to the next event', async () => {
    expect(await warningsOf(event(0, { type: 'new' }))).toMatchObject([{ code: 'unread_type' }])
    meters = [METER, { ...METER, eventType: 'new' }]
    ingest.invalidateMeters('default' as TenantKey)
    expect(await warningsOf(event(1, { type: 'new' }))).toBeUndefined()
  })

  test('a customer is new once, and one that events made a moment ago counts as there', async () => {
    expect(await warningsOf(event(0, { customer: 'Globex' }))).toBeUndefined()
    expect(await warningsOf(event(1, { customer: 'GLOBEX' }))).toMatchObject([{ code: 'similar_customer' }])
    expect(await warningsOf(event(2, { customer: 'GLOBEX' }))).toBeUndefined()
    customers.push('ACME' as CustomerKey)
    expect(await warningsOf(event(3, { customer: 'ACME' }))).toBeUndefined()
  })

  test('events are kept without a word while the catalog says nothing', async () => {
    meters = undefined as unknown as Meter[]
    customers = undefined as unknown as CustomerKey[]
    expect(await warningsOf(event(0, { type: 'no' }))).toBeUndefined()
  })
})
