import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDistributedStack } from '../support/servers/distributed-stack.ts'
import { type Answer, removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

type Problem = { code: string; detail: string; status: number; title: string; type: string; errors?: { code: string; detail: string }[] }

type Row = {
  readonly title: string
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly status: number
  readonly code: string
  /** What the answer must say: field, value, limit. */
  readonly says?: RegExp
}

const NOW = new Date()
const event = (change: Record<string, unknown> = {}) => ({
  id: 'bad-1',
  type: 'bad.event',
  customer: 'bad_customer',
  data: { n: 1 },
  ...change,
})
const text = (json: string) => `{"id":"bad-1","type":"bad.event","customer":"bad_customer","data":${json}}`
const minutesFromNow = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000).toISOString()
const json = { 'content-type': 'application/json' }
const gzip = { ...json, 'content-encoding': 'gzip' }
const tiers = (...bounds: (string | null)[]) => ({ model: 'tiered', tiers: bounds.map((upTo) => ({ upTo, unitAmount: '1' })) })

/** Refused as a whole, or 400 `invalid_events` whose one verdict carries the code. */
const EVENTS: Row[] = [
  { title: 'not JSON', body: 'hello', headers: json, status: 400, code: 'invalid_json' },
  { title: 'truncated JSON', body: '{"id":"x","type":', headers: json, status: 400, code: 'invalid_json' },
  { title: 'NaN', body: text('{"n":NaN}'), headers: json, status: 400, code: 'invalid_json' },
  { title: 'Infinity', body: text('{"n":Infinity}'), headers: json, status: 400, code: 'invalid_json' },
  {
    title: 'truncated gzip',
    body: gzipSync(JSON.stringify(event())).subarray(0, 30),
    headers: gzip,
    status: 400,
    code: 'invalid_content_encoding',
  },
  { title: 'a gzip bomb', body: gzipSync(Buffer.alloc(300 * 2 ** 20, ' ')), headers: gzip, status: 413, code: 'payload_too_large' },
  { title: 'a body over the limit', body: Buffer.alloc(70 * 2 ** 20, ' '), headers: json, status: 413, code: 'payload_too_large' },
  { title: 'wrong content type', body: 'a=1', headers: { 'content-type': 'text/plain' }, status: 415, code: 'unsupported_media_type' },
  {
    title: 'wrong encoding',
    body: 'x',
    headers: { ...json, 'content-encoding': 'lzma' },
    status: 415,
    code: 'unsupported_content_encoding',
  },
  { title: 'missing id', body: event({ id: undefined }), status: 400, code: 'missing_id' },
  { title: 'over-long id', body: event({ id: 'x'.repeat(257) }), status: 400, code: 'id_too_long', says: /257.*256/ },
  { title: 'missing type', body: event({ type: undefined }), status: 400, code: 'missing_type' },
  { title: 'over-long type', body: event({ type: 'x'.repeat(300) }), status: 400, code: 'type_too_long', says: /300/ },
  { title: 'missing subject', body: event({ customer: undefined }), status: 400, code: 'missing_subject' },
  { title: 'over-long subject', body: event({ customer: undefined, subject: 's'.repeat(400) }), status: 400, code: 'subject_too_long' },
  { title: 'data not an object', body: event({ data: [1] }), status: 400, code: 'invalid_data' },
  { title: 'a time that is no time', body: event({ time: 'yesterday' }), status: 400, code: 'invalid_time', says: /yesterday/ },
  { title: 'a time on 30 February', body: event({ time: '2026-02-30T00:00:00Z' }), status: 400, code: 'invalid_time' },
  { title: 'too old', body: event({ time: minutesFromNow(-36 * 24 * 60) }), status: 400, code: 'event_too_old', says: /backfill=true/ },
  { title: 'too far ahead', body: event({ time: minutesFromNow(90) }), status: 400, code: 'event_too_far_ahead', says: /after 20/ },
  { title: '__proto__', body: text('{"__proto__":{"admin":true}}'), headers: json, status: 400, code: 'forbidden_key' },
  {
    title: 'a lone surrogate in its id',
    body: '{"id":"\\ud800","type":"t","customer":"c"}',
    headers: json,
    status: 400,
    code: 'lone_surrogate',
  },
  {
    title: '100,001 events',
    body: Array.from({ length: 100_001 }, (_, i) => event({ id: `${i}` })),
    status: 413,
    code: 'too_many_events',
    says: /100.?000/,
  },
]

const CATALOG: Row[] = [
  {
    title: 'a billing setting that is none',
    method: 'PUT',
    path: '/v1/billing-settings',
    body: { colour: 'red' },
    status: 400,
    code: 'invalid_request',
    says: /colour/,
  },
  {
    title: 'a meter on an unknown aggregation',
    method: 'PUT',
    path: '/v1/meters/m1',
    body: { eventType: 'bad.event', aggregation: 'median', value: 'n' },
    status: 400,
    code: 'invalid_request',
    says: /aggregation/,
  },
  {
    title: 'tiers out of order',
    method: 'POST',
    path: '/v1/rate',
    body: { price: tiers('100', '50', null), quantity: '1' },
    status: 400,
    code: 'invalid_price',
    says: /tiers\[1\]/,
  },
  {
    title: 'tiers that overlap',
    method: 'POST',
    path: '/v1/rate',
    body: { price: tiers('100', '100', null), quantity: '1' },
    status: 400,
    code: 'invalid_price',
    says: /tiers\[1\]/,
  },
  {
    title: 'tiers without an open end',
    method: 'POST',
    path: '/v1/rate',
    body: { price: tiers('100', '200'), quantity: '1' },
    status: 400,
    code: 'invalid_price',
    says: /tiers\[1\]/,
  },
  {
    title: 'a plan on an unknown feature',
    method: 'PUT',
    path: '/v1/plans/bad',
    body: { product: 'p', name: 'Bad', currency: 'USD', interval: 'month', entitlements: [{ feature: 'nowhere', limit: '1' }] },
    status: 400,
    code: 'unknown_feature',
    says: /nowhere/,
  },
  {
    title: 'a subscription to an unknown plan',
    method: 'POST',
    path: '/v1/subscriptions',
    body: { customer: 'known', plan: 'nowhere' },
    status: 400,
    code: 'unknown_plan',
    says: /nowhere/,
  },
  {
    title: 'a subscription of an unknown customer',
    method: 'POST',
    path: '/v1/subscriptions',
    body: { customer: 'nobody', plan: 'free' },
    status: 400,
    code: 'unknown_customer',
    says: /nobody/,
  },
  { title: 'an unknown path', method: 'GET', path: '/v1/nowhere', status: 404, code: 'not_found', says: /nowhere/ },
  { title: 'a wrong method', method: 'DELETE', path: '/v1/events', status: 405, code: 'method_not_allowed' },
]

/** The process or processes that the table is sent to. `readyz` is asked of each process. */
type Place = Pick<TollgateProcess, 'call' | 'ok'> & {
  readonly processes: readonly TollgateProcess[]
  readonly methodsOfEvents: readonly string[]
  discard(): Promise<void>
}

const { stack, missing } = await openDistributedStack()

async function openOneProcess(): Promise<Place> {
  const tollgate = await startTollgate()
  return {
    ...tollgate,
    processes: [tollgate],
    methodsOfEvents: ['GET', 'POST'],
    async discard() {
      await tollgate.kill()
      await removeDirectory(tollgate.dataDir)
    },
  }
}

/** Requests go to roles as the gateway of deploy/ sends them: events to ingest, everything else to the api. */
async function openRolesApart(): Promise<Place> {
  if (stack === null) throw new Error(missing)
  const [ingest, api, aggregator] = await Promise.all([stack.start('ingest'), stack.start('api'), stack.start('aggregator')])
  const roleOf = (method: string, path: string) => (method === 'POST' && path.split('?')[0] === '/v1/events' ? ingest : api)
  return {
    call: (method, path, ...rest) => roleOf(method, path).call(method, path, ...rest),
    ok: (method, path, ...rest) => roleOf(method, path).ok(method, path, ...rest),
    processes: [ingest, api, aggregator],
    // Each role lists what it serves itself.
    methodsOfEvents: ['GET'],
    discard: stack.discard,
  }
}

const notRun = missing === null ? '' : ` (not run: ${missing})`
describe('bad input to one process', () => describeBadInput(openOneProcess))
describe.skipIf(stack === null)(`bad input to roles apart on real servers${notRun}`, () => describeBadInput(openRolesApart))

function describeBadInput(open: () => Promise<Place>): void {
  let tollgate: Place
  let readOnlyKey: string

  beforeAll(async () => {
    tollgate = await open()
    await tollgate.ok('PUT', '/v1/products/p', { name: 'Product' })
    await tollgate.ok('PUT', '/v1/plans/free', { product: 'p', name: 'Free', currency: 'USD', interval: 'month' })
    await tollgate.ok('PUT', '/v1/customers/known', {})
    readOnlyKey = (await tollgate.ok<{ key: string }>('POST', '/v1/keys', { name: 'reader', scopes: ['read'] })).key
  })

  afterAll(() => tollgate?.discard())

  test.each([
    { title: 'no key', headers: { authorization: '' }, status: 401, code: 'missing_key' },
    { title: 'a wrong key', headers: { authorization: 'Bearer tg_wrong' }, status: 401, code: 'invalid_key' },
    { title: 'no bearer', headers: { authorization: 'Basic abc' }, status: 401, code: 'missing_key' },
  ])('$title is answered $status $code', async ({ headers, status, code }) => {
    expectProblem(await tollgate.call('POST', '/v1/events', event(), headers), { title: '', status, code })
  })

  test('a key without the scope is answered 403 missing_scope', async () => {
    const answer = await tollgate.call('POST', '/v1/events', event(), { authorization: `Bearer ${readOnlyKey}` })
    expectProblem(answer, { title: '', status: 403, code: 'missing_scope', says: /ingest/ })
  })

  test.each([...EVENTS, ...CATALOG])('$title is answered $status $code', async (row) => {
    const answer = await tollgate.call(row.method ?? 'POST', row.path ?? '/v1/events', row.body, row.headers)
    expectProblem(answer, row)
  })

  test('a wrong method is answered with the allowed ones', async () => {
    const answer = await tollgate.call('DELETE', '/v1/events')
    expect(answer.headers.get('allow')?.split(', ')).toEqual(expect.arrayContaining([...tollgate.methodsOfEvents]))
  })

  test('a bad event between good ones costs only itself', async () => {
    const answer = await tollgate.call('POST', '/v1/events', [event({ id: 'good-1' }), event({ id: '' }), event({ id: 'good-2' })])
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2, rejected: [{ index: 1, code: 'missing_id' }] } })
  })

  test('a bad event in an atomic batch costs the batch', async () => {
    const answer = await tollgate.call('POST', '/v1/events?atomic=true', [event({ id: 'atomic-1' }), event({ id: '' })])
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_events' } })
  })

  test('after all of it the server is well and kept nothing but the good events', async () => {
    for (const each of tollgate.processes) expect((await each.call('GET', '/readyz')).status).toBe(200)
    const ids = async () =>
      (await tollgate.ok<{ data: { id: string }[] }>('GET', '/v1/events?customer=bad_customer')).data.map(({ id }) => id).sort()
    await waitFor(async () => (await ids()).length >= 2)
    expect(await ids()).toEqual(['good-1', 'good-2'])
  })
}

function expectProblem(answer: Answer, row: Row) {
  const problem = answer.body as Problem
  expect(answer, answer.text.slice(0, 500)).toMatchObject({ status: row.status })
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  const codes = [problem.code, ...(problem.errors ?? []).map(({ code }) => code)]
  expect(codes).toContain(row.code)
  expect(problem.detail.length).toBeGreaterThan(10)
  if (row.says) expect(answer.text).toMatch(row.says)
}
