import type { SeededRandom } from '../support/seeded-random.ts'
import { answered, bodyOf, exchangeOf, type Headers, type RequestSources, usualHeaders, validCall, type WireCall } from './call.ts'
import { mutatedBytes, randomBytes } from './mutated-json.ts'

/** Lengths and chunks that lie, and heads that are no heads. */
export function oddFraming(random: SeededRandom, sources: RequestSources): WireCall {
  const call = validCall(random, sources)
  const body = bodyOf(call.json ?? {})
  const usual = usualHeaders(call, body).filter(([name]) => name !== 'Content-Length')
  const chunked: Headers = [...usual, ['Transfer-Encoding', 'chunked']]
  const [headers, sent] = random.pick<() => readonly [Headers, Buffer]>([
    () => [[...usual, ['Content-Length', String(body.length + 50)]], body],
    () => [[...usual, ['Content-Length', String(Math.max(0, body.length - 3))]], body],
    () => [[...usual, ['Content-Length', random.pick(['-1', '1e3', '0x10', '99999999999999999999', ' ', '1,1', '+2'])]], body],
    () => [[...usual, ['Content-Length', '5'], ['Content-Length', '6']], body],
    () => [[...chunked, ['Content-Length', String(body.length)]], chunksOf(body)],
    () => [chunked, chunksOf(body)],
    () => [chunked, chunksOf(body).subarray(0, -3)],
    () => [chunked, Buffer.concat([Buffer.from('FFFFFFFFFFFFFFFF\r\n'), body])],
    () => [chunked, Buffer.concat([Buffer.from('zz\r\n'), body])],
    () => [chunked, Buffer.concat([Buffer.from(`5;${'x'.repeat(20_000)}\r\n`), body])],
    () => [[...usual, ['Transfer-Encoding', random.pick(['gzip', 'chunked, identity', 'xchunked', 'chunked, chunked'])]], chunksOf(body)],
    () => [[...usual, ['Bad Name', 'x']], body],
    () => [[...usual, ['X', 'a\u0000b']], body],
  ])()
  return { ...exchangeOf(call, headers, sent, 'closed'), mayGoUnanswered: true }
}

function chunksOf(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}

export function noise(random: SeededRandom, sources: RequestSources): WireCall {
  const { bytes } = answered(validCall(random, sources))
  const sent = random.pick([
    () => randomBytes(random, 600),
    () => mutatedBytes(Buffer.concat([...bytes]), random),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => Buffer.from('GET / HTTP/0.9\r\n\r\n'),
    () => Buffer.from('GET http://example.test/healthz HTTP/1.1\r\nHost: a\r\n\r\n'),
    () => Buffer.from('CONNECT example.test:443 HTTP/1.1\r\nHost: example.test\r\n\r\n'),
    () => Buffer.from('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'),
    () => Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]),
    () => Buffer.from(`GET /${'a'.repeat(30_000)} HTTP/1.1\r\n\r\n`),
  ])()
  return { route: '-', bytes: [sent], isHead: [], connection: 'closed', mayGoUnanswered: true }
}
