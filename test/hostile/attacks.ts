import zlib from 'node:zlib'
import type { Attacker } from './attacker.ts'

/** One kind of what strangers may send. `attempt` counts from 0 in each of its workers; it resolves with what it came to. */
export type Attack = {
  readonly kind: string
  /** How many of one tenant are under way at once. */
  readonly workers: number
  attempt(by: Attacker, worker: number, attempt: number): Promise<string>
}

const MIB = 2 ** 20
const GZIP = { 'content-encoding': 'gzip' }
const BROTLI = { 'content-encoding': 'br' }
const NDJSON = { 'content-type': 'application/x-ndjson' }
const HOLD_MS = 20_000

/** Made once, as the attackers should not be slower than the server. */
const EMPTY_EVENTS = zlib.gzipSync(`[${'{},'.repeat(22_000_000 / 4)}{}]`)
const BRACKETS = zlib.gzipSync('['.repeat(60 * MIB))
const VERDICTS = zlib.gzipSync(`[${'{},'.repeat(99_998)}{}]`)
const WIDE_KEYS = JSON.stringify(Object.fromEntries(Array.from({ length: 45_000 }, (_, n) => [`k${n}`, 1])))
const MANY_PROPERTIES = Object.fromEntries(Array.from({ length: 7_000 }, (_, n) => [`k${n.toString(36)}`, 1]))
const NOISE = Buffer.from(Uint32Array.from({ length: 50_000 }, (_, n) => Math.imul(n + 1, 2_654_435_761) >>> 0).buffer).toString('base64')
const OPEN_ARRAY = zlib.gzipSync(`[${' '.repeat(20 * MIB)}"${NOISE}`).subarray(0, -40)
const LARGE_WINDOW = zlib.brotliCompressSync(NOISE, { params: { [zlib.constants.BROTLI_PARAM_LGWIN]: 24 } }).subarray(0, 150_000)

const gzipped = (events: readonly object[]) => zlib.gzipSync(JSON.stringify(events), { level: 1 })
const eventsOf = (count: number, event: (n: number) => object) => gzipped(Array.from({ length: count }, (_, n) => event(n)))

export const ATTACKS: readonly Attack[] = [
  {
    kind: 'arrays of 5.5 million elements',
    workers: 1,
    attempt: (by) => by.send('POST', '/v1/events', EMPTY_EVENTS, GZIP),
  },
  { kind: 'brackets without an end', workers: 1, attempt: (by) => by.send('POST', '/v1/events', BRACKETS, GZIP) },
  { kind: '99,999 verdicts', workers: 1, attempt: (by) => by.send('POST', '/v1/events', VERDICTS, GZIP) },
  { kind: 'wide bodies', workers: 1, attempt: (by) => by.send('PUT', '/v1/plans/wide', WIDE_KEYS) },
  {
    kind: 'events of 7,000 properties',
    workers: 1,
    attempt: (by, worker, attempt) =>
      by.send(
        'POST',
        '/v1/events',
        eventsOf(40, (n) => ({ id: `p-${worker}-${attempt}-${n}`, type: 'attack', customer: 'c', data: MANY_PROPERTIES })),
        GZIP,
      ),
  },
  {
    kind: 'three meters whose dimensions differ in every event',
    workers: 1,
    attempt: (by, worker, attempt) =>
      by.send(
        'POST',
        '/v1/events',
        eventsOf(1_000, (n) => {
          const name = `${by.name}-${worker}-${attempt}-${n}`
          return { id: name, type: 'attack', customer: 'c', data: { request: name, session: `s${name}`, trace: `t${name}`, tokens: 1 } }
        }),
        GZIP,
      ),
  },
  {
    kind: 'a new customer in every event',
    workers: 1,
    attempt: (by, worker, attempt) =>
      by.send(
        'POST',
        '/v1/events',
        eventsOf(1_000, (n) => ({ id: `n-${worker}-${attempt}-${n}`, type: 'attack', customer: `new-${worker}-${attempt}-${n}` })),
        GZIP,
      ),
  },
  {
    kind: 'unique values of 30 KB',
    workers: 1,
    attempt: (by, worker, attempt) =>
      by.send(
        'POST',
        '/v1/events',
        eventsOf(50, (n) => ({
          id: `u-${worker}-${attempt}-${n}`,
          type: 'attack',
          customer: 'c',
          data: { text: `${worker}-${attempt}-${n} `.repeat(2_500) },
        })),
        GZIP,
      ),
  },
  { kind: 'bodies that unpack to much and stay open', workers: 3, attempt: (by) => by.leaveOpen(OPEN_ARRAY, GZIP, HOLD_MS) },
  { kind: 'windows of decoders, left open', workers: 3, attempt: (by) => by.leaveOpen(LARGE_WINDOW, { ...BROTLI, ...NDJSON }, HOLD_MS) },
  {
    kind: 'bodies that trickle',
    workers: 10,
    attempt: (by) => by.dangle('POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n[', HOLD_MS),
  },
  { kind: 'connections that say nothing', workers: 50, attempt: (by) => by.dangle('', HOLD_MS) },
  {
    kind: 'holds of a day',
    workers: 2,
    attempt: (by, worker, attempt) =>
      by.send(
        'POST',
        '/v1/reservations',
        JSON.stringify({
          id: `h-${worker}-${attempt}`,
          customer: `held-${attempt % 100}`,
          feature: 'attacks',
          quantity: 1,
          ttlMs: 86_400_000,
        }),
      ),
  },
  {
    kind: 'decisions for customers never seen',
    workers: 2,
    attempt: (by, worker, attempt) =>
      by.send('POST', '/v1/decisions', JSON.stringify({ customer: `asked-${worker}-${attempt}`, feature: 'attacks' })),
  },
  {
    kind: 'a new Idempotency-Key in every request',
    workers: 2,
    attempt: (by, worker, attempt) =>
      by.send('POST', '/v1/usage', JSON.stringify({ customer: 'c', feature: 'attacks', quantity: 1, behaviour: 'delta' }), {
        'idempotency-key': `${by.name}-${worker}-${attempt}`,
      }),
  },
  { kind: 'pages of large events', workers: 4, attempt: (by) => by.send('GET', '/v1/events?limit=1000') },
  {
    kind: 'usage of everybody by everything',
    workers: 4,
    attempt: (by) => by.send('GET', '/v1/meters/traces/usage?groupBy=customer,trace&window=minute'),
  },
  {
    kind: 'blanks in headers',
    workers: 1,
    attempt: (by) => by.send('GET', '/v1/customers', undefined, { authorization: `Bearer a${' '.repeat(15_500)}b` }),
  },
  {
    kind: 'made-up keys',
    workers: 2,
    attempt: (by, worker, attempt) =>
      by.send('GET', '/v1/customers', undefined, { authorization: `Bearer tg_${by.name}_made_up_${worker}_${attempt}` }),
  },
  { kind: 'documents', workers: 1, attempt: (by) => by.send('GET', '/openapi.yaml', undefined, { 'accept-encoding': 'identity' }) },
  {
    kind: 'readiness and metrics',
    workers: 1,
    attempt: (by, _worker, attempt) => by.send('GET', attempt % 2 === 0 ? '/readyz' : '/metrics'),
  },
]

/** What a tenant needs for its attacks: meters that keep much, and a feature to hold. */
export async function prepareAttacks(by: Attacker): Promise<void> {
  const put = async (path: string, body: object) => {
    const code = await by.send('PUT', path, JSON.stringify(body))
    if (code !== '200' && code !== '201') throw new Error(`${path} was answered ${code}`)
  }
  for (const name of ['request', 'session', 'trace']) {
    await put(`/v1/meters/${name}s`, { eventType: 'attack', aggregation: 'sum', value: 'tokens', dimensions: { [name]: name } })
  }
  await put('/v1/meters/texts', { eventType: 'attack', aggregation: 'unique', value: 'text' })
  await put('/v1/meters/attacks', { eventType: 'attack', aggregation: 'count' })
  await put('/v1/features/attacks', { type: 'metered', meter: 'attacks' })
  for (let n = 0; n < 100; n++) {
    await put(`/v1/customers/held-${n}`, {})
    await put(`/v1/customers/held-${n}/entitlements/attacks`, { limit: null })
  }
}
