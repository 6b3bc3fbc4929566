import { once } from 'node:events'
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import zlib from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type IngestApp, openIngestApp } from '../test/support/ingest-app.ts'

const MiB = 2 ** 20
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const WAIT = { timeout: 20_000, interval: 20 }

let served: IngestApp
let open: ClientRequest[] = []
beforeEach(async () => {
  served = await openIngestApp({})
})
afterEach(async () => {
  for (const request of open) request.destroy()
  open = []
  await served.close()
})

/** Sends the beginning of a body and leaves it open, whether it is answered or not. */
function leaveOpen(key: string, body: Buffer | string, headers: Record<string, string> = {}): ClientRequest {
  const request = httpRequest({
    port: served.port,
    host: '127.0.0.1',
    path: '/v1/events',
    method: 'POST',
    headers: headersOf(key, headers),
  })
  request.on('error', () => undefined)
  request.write(body)
  open.push(request)
  return request
}
function headersOf(key: string, more: Record<string, string>) {
  return { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...more }
}
async function answerTo(
  request: ClientRequest,
): Promise<{ status: number | undefined; body: { code?: string; detail?: string; accepted?: number } }> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part as Buffer)
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(parts).toString()) }
}
function send(key: string, body: Buffer | string, headers: Record<string, string> = {}) {
  const request = leaveOpen(key, body, headers)
  request.end()
  return answerTo(request)
}

const one = JSON.stringify({ id: 'e-1', type: 't', customer: 'c' })
/** Noise, so that a packed beginning is long enough for a decoder to be opened. */
const NOISE = Buffer.from(Uint32Array.from({ length: 50_000 }, (_, n) => Math.imul(n + 1, 2_654_435_761) >>> 0).buffer).toString('base64')
/** The beginning of a JSON array that unpacks to this many bytes, packed. */
const openArray = (bytes: number) => zlib.gzipSync(`[${one},${' '.repeat(bytes)}"${NOISE}`)

describe('work is bounded before it is done', () => {
  test.each([
    {
      name: 'an array of 22 million events',
      body: () => zlib.gzipSync(`[${'{},'.repeat(20_000_000)}{}]`),
      status: 413,
      code: 'too_many_events',
    },
    {
      name: '22 million lines',
      body: () => zlib.gzipSync('{}\n'.repeat(20_000_000)),
      type: 'application/x-ndjson',
      status: 413,
      code: 'too_many_events',
    },
    { name: 'brackets without an end', body: () => zlib.gzipSync('['.repeat(60 * MiB)), status: 400, code: 'body_too_deep' },
    { name: 'one event of 60 MiB', body: () => zlib.gzipSync(`{"id":"${'x'.repeat(60 * MiB)}"}`), status: 413, code: 'payload_too_large' },
    { name: 'blank lines', body: () => zlib.gzipSync('\n'.repeat(60 * MiB)), type: 'application/x-ndjson', status: 400, code: 'no_events' },
  ])('$name', async ({ body, type = 'application/json', status, code }) => {
    const packed = body()
    // What is alive, not what waits to be collected: that differs with the other tests of the process.
    const heapBytes = () => {
      collectGarbage()
      return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    }
    const before = heapBytes()
    let most = 0
    const looking = setInterval(() => {
      most = Math.max(most, heapBytes() - before)
    }, 150)
    const answer = await send('a:1', packed, { 'content-type': type, 'content-encoding': 'gzip' })
    clearInterval(looking)
    expect(answer).toMatchObject({ status, body: { code } })
    // Twice what a request may cost: the packed body and this test's own share of the request are included.
    expect(most).toBeLessThan(128 * MiB)
    expect(served.ingest.room.bytes.held() + served.ingest.room.decoders.held()).toBe(0)
  })

  test('a body cut into bytes costs its bytes', async () => {
    const request = leaveOpen('a:1', '[')
    const chunks = Buffer.concat(Array.from({ length: 200_000 }, () => Buffer.from('1\r\n \r\n')))
    const socket = request.socket ?? ((await once(request, 'socket')) as [NonNullable<ClientRequest['socket']>])[0]
    socket.write(chunks)
    await vi.waitFor(() => expect(served.ingest.room.bytes.held()).toBe(200_001), WAIT)
    request.end(`${one}]`)
    expect(await answerTo(request)).toMatchObject({ status: 202, body: { accepted: 1 } })
  })
})

test('100,000 verdicts are written in parts: all are there, in their order, and others are served between them', async () => {
  const answered = send('a:1', zlib.gzipSync(`[${'{},'.repeat(99_999)}${one}]`), { 'content-encoding': 'gzip' })
  let others = 0
  for (let isDone = false; !isDone; others++) {
    isDone = await Promise.race([answered.then(() => true), send('b:1', one).then(() => false)])
  }
  const { status, body } = await answered
  const { accepted, rejected } = body as unknown as { accepted: number; rejected: { index: number; code: string }[] }
  expect([status, accepted, rejected.length]).toEqual([202, 1, 99_999])
  expect(rejected.every(({ index, code }, n) => index === n && code === 'missing_id')).toBe(true)
  expect(others).toBeGreaterThan(5)
})

describe('a holder at its limit leaves room for others', () => {
  beforeEach(async () => {
    await served.close()
    served = await openIngestApp({ bytesInFlightMax: 16 * MiB })
  })
  const held = () => served.ingest.room.bytes.held()
  function holdOpen(key: string, bytes: number): void {
    void answerTo(leaveOpen(key, openArray(bytes), { 'content-encoding': 'gzip' })).catch(() => undefined)
  }

  test.each([
    { name: 'two connections of one key', keys: ['hog:1', 'hog:1'] },
    { name: 'many connections of one key', keys: Array(8).fill('hog:1') },
    { name: 'many keys of one tenant', keys: Array.from({ length: 8 }, (_, n) => `hog:${n}`) },
    { name: 'many tenants', keys: Array.from({ length: 8 }, (_, n) => `hog${n}:1`) },
  ])('bodies of $name that unpack to much and stay open', async ({ keys }) => {
    for (const key of keys) holdOpen(key, 3 * MiB)
    await vi.waitFor(() => expect(held()).toBeGreaterThan(2 * MiB), WAIT)
    for (let n = 0; n < 20; n++) {
      expect(await send('other:1', `[${Array(500).fill(one).join()}]`)).toMatchObject({ status: 202, body: { accepted: 500 } })
      expect(await send('other:2', zlib.brotliCompressSync(one), { 'content-encoding': 'br' })).toMatchObject({ status: 202 })
    }
    expect(held()).toBeGreaterThan(2 * MiB)
  })

  test('a refusal names the level whose share is used up', async () => {
    holdOpen('hog:1', 3 * MiB)
    await vi.waitFor(() => expect(held()).toBeGreaterThan(3 * MiB), WAIT)
    const answer = await send('hog:1', openArray(3.5 * MiB), { 'content-encoding': 'gzip' })
    const detail = expect.stringMatching(/^Requests under way of this key hold \d+ bytes, and may hold \d+ as long as others hold theirs/)
    expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded', detail } })
  })

  test('a body that is larger than one connection may ever hold is too large, and not to be sent again for ever', async () => {
    const answer = await send('a:1', openArray(4 * MiB), { 'content-encoding': 'gzip' })
    expect(answer).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large', detail: expect.stringContaining(`at most ${4 * MiB} `) },
    })
  })
})

describe('decoders', () => {
  test.each([
    { coding: 'br', body: Buffer.from([0x0f, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00]) },
    { coding: 'zstd', body: Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 0x00, 0x00]) },
    { coding: 'gzip', body: Buffer.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03]) },
  ])('none is opened for the first bytes of $coding, left open', async ({ coding, body }) => {
    const requests = Array.from({ length: 20 }, () => leaveOpen('a:1', body, { 'content-encoding': coding }))
    // Later connections have been answered, so these have been read.
    await Promise.all(requests.map(() => send('b:1', one)))
    expect(served.ingest.room.decoders.held()).toBe(0)
  })

  test('their windows are counted, and those of one key leave others theirs', async () => {
    const head = zlib.brotliCompressSync(NOISE, { params: { [zlib.constants.BROTLI_PARAM_LGWIN]: 24 } }).subarray(0, 150_000)
    for (let n = 0; n < 10; n++) void answerTo(leaveOpen('hog:1', head, { 'content-encoding': 'br' })).catch(() => undefined)
    await vi.waitFor(() => expect(served.ingest.room.decoders.held()).toBeGreaterThan(16 * MiB), WAIT)
    expect(served.ingest.room.decoders.held()).toBeLessThan(30 * MiB)
    expect(await send('other:1', zlib.brotliCompressSync(one), { 'content-encoding': 'br' })).toMatchObject({ status: 202 })
  })
})
